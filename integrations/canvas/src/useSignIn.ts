// Signing in: by the link's fragment, or by a key or a token that a person pastes when the API asks for one.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Api, type Session, sentenceOf } from "./api";

export interface SignIn {
  api: Api;
  session: Session | null;
  /** Sentence that says why a key or token is asked for; null where none is. */
  reason: string | null;
  take(secret: string, keepKey: boolean): Promise<void>;
}

export function useSignIn(): SignIn {
  const api = useMemo(() => new Api(), []);
  const [session, setSession] = useState<Session | null>(null);
  const [reason, setReason] = useState<string | null>(null);
  const waiting = useRef<(() => void) | null>(null);

  const take = useCallback(
    async (secret: string, keepKey: boolean) => {
      setSession(await api.signIn(secret, keepKey));
      setReason(null);
      waiting.current?.();
      waiting.current = null;
    },
    [api],
  );

  useEffect(() => {
    api.ask = (why) =>
      new Promise((resolve) => {
        waiting.current = resolve;
        setReason(why);
      });
    const key = keyOfFragment();
    if (key) take(key, true).catch((error: unknown) => setReason(sentenceOf(error)));
    else setReason("");
  }, [api, take]);

  return { api, session, reason, take };
}

/** Take the key out of the address, where it would be seen and kept. */
function keyOfFragment(): string {
  const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return key;
}
