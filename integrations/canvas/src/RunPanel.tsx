// A run in the side panel: its status, what it waits for, its output, and the values of the chosen block.

import { useState } from "react";
import { type Api, sentenceOf } from "./api";
import type { Activation, Json, JsonObject, Run } from "./types";
import { OVER } from "./types";

interface RunPanelProps {
  api: Api;
  run: Run;
  activations: Activation[];
  /** Step whose values are shown; all of them where there is none. */
  stepId: string | null;
  onCancel(): void;
  onClose(): void;
}

export function RunPanel({ api, run, activations, stepId, onCancel, onClose }: RunPanelProps) {
  const shown = activations.filter((one) => stepId === null || one.step_id === stepId);
  const tasks = run.waiting_for.filter((one) => one.task_url);
  return (
    <section aria-label="Run" className="run">
      <h2>
        Run: <span className={`status is-${run.status}`}>{run.status}</span>
      </h2>
      <p className="quiet" data-run={run.run_id}>
        {run.run_id}
      </p>
      {run.error && (
        <p className="field-error">
          {run.error.step_id && `${run.error.step_id}: `}
          {run.error.message} ({run.error.code})
        </p>
      )}
      {run.waiting_for.map((one) => (
        <p key={one.ref}>
          Waits for {one.kind === "human" ? "a person" : one.kind} at {one.ref}.
        </p>
      ))}
      {tasks.map((one) => (
        <p key={one.task_url}>
          <a href={one.task_url} target="_blank" rel="noopener noreferrer">
            Open the task of {one.ref} in the inbox
          </a>
        </p>
      ))}
      {OVER.has(run.status) && run.output !== null && <Value api={api} name="output" value={run.output} />}
      <p className="buttons">
        {!OVER.has(run.status) && (
          <button type="button" className="danger" onClick={onCancel}>
            Cancel the run
          </button>
        )}
        <button type="button" onClick={onClose}>
          Close the run
        </button>
      </p>
      <h3>{stepId === null ? "Steps" : `Values of ${stepId}`}</h3>
      {!shown.length && <p className="quiet">Nothing has run here yet.</p>}
      {shown.map((one) => (
        <ActivationView key={`${one.step_id}#${one.activation}`} api={api} activation={one} isOpen={stepId !== null} />
      ))}
    </section>
  );
}

function ActivationView({ api, activation, isOpen }: { api: Api; activation: Activation; isOpen: boolean }) {
  const { step_id, activation: number, status, attempts, duration_ms, inputs, output, error } = activation;
  const facts = [attempts > 1 && `${attempts} attempts`, duration_ms !== null && `${duration_ms} ms`].filter(Boolean);
  return (
    <details open={isOpen}>
      <summary>
        {step_id}#{number}: {status} {facts.length > 0 && <span className="quiet">({facts.join(", ")})</span>}
      </summary>
      {inputs !== null && <Value api={api} name="inputs" value={inputs} />}
      {output !== null && <Value api={api} name="output" value={output} />}
      {error && <Value api={api} name="error" value={error} />}
    </details>
  );
}

function Value({ api, name, value }: { api: Api; name: string; value: Json }) {
  const [loaded, setLoaded] = useState<Json | undefined>(undefined);
  const [trouble, setTrouble] = useState("");
  const shown = loaded === undefined ? value : loaded;
  const large = loaded === undefined ? largeValues(value) : [];
  const load = (address: string): void => {
    api.largeValue(address).then(setLoaded, (error: unknown) => setTrouble(sentenceOf(error)));
  };
  return (
    <div className="value">
      <h4>{name}</h4>
      <pre tabIndex={0} aria-label={name}>{JSON.stringify(shown, null, 2)}</pre>
      {large.map(({ bytes, url }) => (
        <button key={url} type="button" onClick={() => load(url)}>
          Load the large value ({bytes} bytes)
        </button>
      ))}
      {trouble && <p className="field-error">{trouble}</p>}
    </div>
  );
}

/** The links to large values in a value, or one level below it. */
function largeValues(value: Json): { bytes: number; url: string }[] {
  if (typeof value !== "object" || value === null) return [];
  return [value, ...Object.values(value)].flatMap((part) => {
    const link = typeof part === "object" && part !== null ? (part as JsonObject).$large_value : undefined;
    return link ? [link as unknown as { bytes: number; url: string }] : [];
  });
}
