// The run that is followed: its states by its events, its values read again after them.

import { useCallback, useEffect, useRef, useState } from "react";
import { type Api, sentenceOf } from "./api";
import { follow } from "./follow";
import { fold, type States } from "./live";
import type { Activation, Run } from "./types";

const READ_AGAIN_MS = 400;

export interface FollowedRun {
  run: Run | null;
  activations: Activation[];
  states: States;
  watch(run: Run): void;
  close(): void;
}

export function useRun(api: Api, tell: (sentence: string) => void): FollowedRun {
  const [run, setRun] = useState<Run | null>(null);
  const [activations, setActivations] = useState<Activation[]>([]);
  const [states, setStates] = useState<States>({});
  const stop = useRef<() => void>(() => undefined);

  const close = useCallback(() => {
    stop.current();
    stop.current = () => undefined;
    setRun(null);
    setActivations([]);
    setStates({});
  }, []);

  const watch = useCallback(
    (started: Run) => {
      close();
      setRun(started);
      let timer = 0;
      let isOver = false;
      const read = (): void => {
        timer = 0;
        Promise.all([api.run(started.run_id), api.activations(started.run_id)]).then(
          ([present, steps]) => {
            if (isOver) return;
            setRun(present);
            setActivations(steps);
          },
          (error: unknown) => tell(sentenceOf(error)),
        );
      };
      const stopFollowing = follow(api, started.run_id, {
        onEvent: (event) => {
          setStates((before) => fold(before, event));
          timer ||= window.setTimeout(read, READ_AGAIN_MS);
        },
        onTrouble: tell,
      });
      stop.current = () => {
        isOver = true;
        window.clearTimeout(timer);
        stopFollowing();
      };
    },
    [api, close, tell],
  );

  useEffect(() => () => stop.current(), []);
  return { run, activations, states, watch, close };
}
