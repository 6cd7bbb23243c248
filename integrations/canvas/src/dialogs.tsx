// The dialogs: signing in, opening, importing and starting.

import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { type Api, sentenceOf } from "./api";
import { Fields } from "./fields";
import { JsonArea } from "./Inspector";
import type { Json, JsonObject, SavedSegment, Segment } from "./types";

interface DialogProps {
  title: string;
  /** Absent where a person has to answer. */
  onClose?: () => void;
  children: ReactNode;
}

function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

interface SignInDialogProps {
  reason: string;
  take(secret: string, keepKey: boolean): Promise<void>;
}

export function SignInDialog({ reason, take }: SignInDialogProps) {
  const [secret, setSecret] = useState("");
  const [keeps, setKeeps] = useState(false);
  const [trouble, setTrouble] = useState("");
  const id = useId();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    take(secret.trim(), keeps).catch((error: unknown) => setTrouble(sentenceOf(error)));
  };
  return (
    <Dialog title="Sign in">
      <form onSubmit={submit}>
        {(trouble || reason) && (
          <p className="field-error" role="alert">
            {trouble || `${reason} Nothing of your drawing is lost.`}
          </p>
        )}
        <div className="field">
          <label htmlFor={id}>API key or browser token</label>
          <input id={id} type="password" autoComplete="off" required value={secret} onChange={(event) => setSecret(event.target.value)} />
          <div className="field-notes">
            <p>A key makes a token of 15 minutes that may read and write segments and runs. Only the token is kept.</p>
          </div>
        </div>
        <label className="tick">
          <input type="checkbox" checked={keeps} onChange={(event) => setKeeps(event.target.checked)} /> Keep the key while this page
          is open, to renew the token
        </label>
        <p className="buttons">
          <button type="submit" className="primary">
            Sign in
          </button>
        </p>
      </form>
    </Dialog>
  );
}

interface OpenDialogProps {
  api: Api;
  onOpen(segmentId: string): void;
  onClose(): void;
}

export function OpenDialog({ api, onOpen, onClose }: OpenDialogProps) {
  const [found, setFound] = useState<SavedSegment[] | null>(null);
  const [search, setSearch] = useState("");
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    api.segments().then(setFound, (error: unknown) => setTrouble(sentenceOf(error)));
  }, [api]);
  const wanted = search.toLowerCase();
  const shown = (found ?? []).filter((one) => `${one.name} ${one.segment_id}`.toLowerCase().includes(wanted));
  return (
    <Dialog title="Open a segment" onClose={onClose}>
      <label>
        Search <input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
      </label>
      {trouble && <p className="field-error">{trouble}</p>}
      {found?.length === 0 && <p>No segment is saved yet.</p>}
      <ul className="choices">
        {shown.map((one) => (
          <li key={one.segment_id}>
            <button type="button" onClick={() => onOpen(one.segment_id)}>
              {one.name} <span className="quiet">{one.segment_id}, revision {one.revision}</span>
            </button>
          </li>
        ))}
      </ul>
      <p className="buttons">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
    </Dialog>
  );
}

interface ImportDialogProps {
  onImport(text: string): Promise<void>;
  onClose(): void;
}

export function ImportDialog({ onImport, onClose }: ImportDialogProps) {
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState("");
  const id = useId();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onImport(text).catch((error: unknown) => setTrouble(sentenceOf(error)));
  };
  return (
    <Dialog title="Import a segment" onClose={onClose}>
      <form onSubmit={submit}>
        {trouble && (
          <p className="field-error" role="alert">
            {trouble}
          </p>
        )}
        <label>
          File{" "}
          <input
            type="file"
            accept=".json,application/json"
            onChange={(event) => event.target.files?.[0]?.text().then(setText, (error: unknown) => setTrouble(sentenceOf(error)))}
          />
        </label>
        <div className="field">
          <label htmlFor={id}>JSON</label>
          <textarea id={id} rows={10} required spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
        </div>
        <p className="buttons">
          <button type="submit" className="primary">
            Import
          </button>
          <button type="button" onClick={onClose}>
            Close
          </button>
        </p>
      </form>
    </Dialog>
  );
}

interface StartDialogProps {
  segment: Segment;
  isSaved: boolean;
  input: Json;
  onInput(input: Json): void;
  onStart(): Promise<void>;
  onClose(): void;
}

export function StartDialog({ segment, isSaved, input, onInput, onStart, onClose }: StartDialogProps) {
  const [trouble, setTrouble] = useState("");
  const [isBusy, setBusy] = useState(false);
  const schema = segment.input_schema;
  const isForm = schema?.properties !== undefined;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setBusy(true);
    onStart()
      .catch((error: unknown) => setTrouble(sentenceOf(error)))
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={`Start ${segment.name}`} onClose={onClose}>
      <form onSubmit={submit}>
        {trouble && (
          <p className="field-error" role="alert">
            {trouble}
          </p>
        )}
        {!isSaved && <p>What is drawn is saved first.</p>}
        {isForm ? (
          <Fields schema={schema} value={(input ?? {}) as JsonObject} findings={[]} pointer="" onChange={onInput} />
        ) : (
          <JsonArea label="input" note="Any JSON." value={input} onChange={(value) => onInput(value ?? null)} />
        )}
        <p className="buttons">
          <button type="submit" className="primary" disabled={isBusy}>
            Start
          </button>
          <button type="button" onClick={onClose}>
            Close
          </button>
        </p>
      </form>
    </Dialog>
  );
}
