// Following a run over its WebSocket, from its first event to its last, over lost connections.

import { type Api, sentenceOf } from "./api";
import type { RunEvent } from "./types";

const LAST = new Set(["segment.completed", "segment.failed", "segment.cancelled"]);
const LONGEST_PAUSE_MS = 15_000;

export interface Follower {
  onEvent(event: RunEvent): void;
  onTrouble(sentence: string): void;
}

/** Follow until the run is over or the returned function is called. */
export function follow(api: Api, runId: string, follower: Follower): () => void {
  let after = "0";
  let pause = 500;
  let isDone = false;
  let socket: WebSocket | null = null;
  let timer = 0;

  const again = (): void => {
    if (isDone) return;
    timer = window.setTimeout(open, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  };

  const hear = (message: MessageEvent<string>): void => {
    const event = JSON.parse(message.data) as RunEvent;
    pause = 500;
    if (event.event_type === "stream.closed") {
      if (event.code !== "KEY_REFUSED") follower.onTrouble(event.detail ?? "The stream of the run was closed.");
      return;
    }
    if (event.cursor !== undefined && event.cursor !== null) after = String(event.cursor);
    if (event.event_type !== "ping") follower.onEvent(event);
    if (LAST.has(event.event_type)) isDone = true;
  };

  async function open(): Promise<void> {
    try {
      const opened = await api.socket(runId, after);
      if (isDone) {
        opened.close();
        return;
      }
      socket = opened;
      opened.onmessage = hear;
      opened.onclose = (closed) => {
        if (closed.code === 1000 || closed.code === 4403 || closed.code === 4404) isDone = true;
        again();
      };
    } catch (error) {
      follower.onTrouble(sentenceOf(error));
      again();
    }
  }

  void open();
  return () => {
    isDone = true;
    window.clearTimeout(timer);
    socket?.close();
  };
}
