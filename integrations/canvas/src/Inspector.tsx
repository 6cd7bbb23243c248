// The side panel: the form of the chosen block, line or segment, with findings at their fields.

import { useEffect, useId, useState } from "react";
import { Fields, readJsonText } from "./fields";
import type { BlockNode, LineEdge, Rest } from "./graph";
import { inputPorts, outputPorts } from "./ports";
import type { Catalog, Finding, Json, JsonObject, Step } from "./types";

interface BlockFormProps {
  node: BlockNode;
  index: number;
  nodes: BlockNode[];
  edges: LineEdge[];
  catalog: Catalog;
  findings: Finding[];
  isEntry: boolean;
  onStep(step: Step): void;
  onEntry(): void;
  onDelete(): void;
  onConnect(port: string, target: string, targetPort: string): void;
}

export function BlockForm(props: BlockFormProps) {
  const { node, index, catalog, findings, onStep } = props;
  const { step } = node.data;
  const card = catalog.types[step.type];
  const general = findings.filter((one) => !one.pointer.startsWith(`/steps/${index}/config/`));
  return (
    <section aria-label={`Block ${step.step_id}`}>
      <h2>{card?.display_name ?? step.type}</h2>
      {card && <p className="quiet">{card.description}</p>}
      <FindingList findings={general} />
      <TextLine label="step_id" value={step.step_id} onChange={(text) => onStep({ ...step, step_id: text })} />
      <TextLine label="name" value={step.name ?? ""} onChange={(text) => onStep(withName(step, text))} />
      <Fields
        key={node.id}
        schema={card?.config_schema ?? {}}
        value={step.config}
        findings={findings}
        pointer={`/steps/${index}/config`}
        onChange={(config) => onStep({ ...step, config })}
      />
      <Connector {...props} />
      <p className="buttons">
        {!props.isEntry && (
          <button type="button" onClick={props.onEntry}>
            Start here
          </button>
        )}
        <button type="button" className="danger" onClick={props.onDelete}>
          Delete the block
        </button>
      </p>
    </section>
  );
}

function withName(step: Step, text: string): Step {
  const { name: _, ...others } = step;
  return text ? { ...step, name: text } : (others as Step);
}

/** Draws a line without a mouse: from a port of this block to one of another. */
function Connector({ node, nodes, edges, catalog, onConnect }: BlockFormProps) {
  const { step } = node.data;
  const used = edges.filter((edge) => edge.source === node.id).map((edge) => edge.sourceHandle ?? "");
  const ports = outputPorts(step, catalog.types[step.type], used);
  const [port, setPort] = useState(ports[0] ?? "");
  const [target, setTarget] = useState("");
  const to = nodes.find((other) => other.id === target);
  const arrived = edges.filter((edge) => edge.target === target).map((edge) => edge.targetHandle ?? "");
  const inputs = to ? inputPorts(to.data.step, catalog.types[to.data.step.type], arrived) : [];
  const free = inputs.find((name) => !arrived.includes(name)) ?? inputs[0] ?? "";
  const from = ports.includes(port) ? port : (ports[0] ?? "");
  if (!ports.length || nodes.length < 2) return null;
  return (
    <fieldset>
      <legend>Connect</legend>
      <label>
        from port{" "}
        <select value={from} onChange={(event) => setPort(event.target.value)}>
          {ports.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        to block{" "}
        <select value={to ? target : ""} onChange={(event) => setTarget(event.target.value)}>
          <option value="" />
          {nodes.map((other) => (
            <option key={other.id} value={other.id}>
              {other.data.step.step_id}
            </option>
          ))}
        </select>
      </label>
      <button type="button" disabled={!to} onClick={() => onConnect(from, target, free)}>
        Connect
      </button>
    </fieldset>
  );
}

interface LineFormProps {
  edge: LineEdge;
  names: [string, string];
  findings: Finding[];
  onCondition(condition: string): void;
  onDelete(): void;
}

export function LineForm({ edge, names, findings, onCondition, onDelete }: LineFormProps) {
  return (
    <section aria-label="Line">
      <h2>
        {names[0]} → {names[1]}
      </h2>
      <p className="quiet">
        from {edge.sourceHandle} to {edge.targetHandle}
      </p>
      <FindingList findings={findings} />
      <TextLine label="condition" value={edge.data?.written.condition ?? ""} onChange={onCondition} />
      <p className="buttons">
        <button type="button" className="danger" onClick={onDelete}>
          Delete the line
        </button>
      </p>
    </section>
  );
}

interface SegmentFormProps {
  rest: Rest;
  /** All findings; those of a block lead to it. */
  findings: Finding[];
  onShow(finding: Finding): void;
  onChange(document: Rest["document"]): void;
}

export function SegmentForm({ rest, findings, onShow, onChange }: SegmentFormProps) {
  const { document } = rest;
  return (
    <section aria-label="Segment">
      <h2>Segment</h2>
      <FindingList findings={findings} onShow={onShow} />
      <TextLine label="segment_id" value={document.segment_id} onChange={(text) => onChange({ ...document, segment_id: text })} />
      <TextLine label="name" value={document.name} onChange={(text) => onChange({ ...document, name: text })} />
      <TextLine
        label="description"
        value={document.description ?? ""}
        onChange={(text) => onChange({ ...document, description: text })}
      />
      <JsonArea
        label="input_schema"
        note="JSON Schema of the input; the form of a start is made from it."
        value={document.input_schema}
        onChange={(value) => onChange({ ...document, input_schema: value as JsonObject | undefined })}
      />
    </section>
  );
}

export function FindingList({ findings, onShow }: { findings: Finding[]; onShow?: (finding: Finding) => void }) {
  if (!findings.length) return null;
  return (
    <ul className="findings">
      {findings.map((one, index) => (
        <li key={index} className={one.severity}>
          <strong>{one.severity}:</strong> {one.message}
          {one.hint && <em> Hint: {one.hint}</em>}
          {onShow && /^\/(steps|edges)\//.test(one.pointer) && (
            <button type="button" onClick={() => onShow(one)}>
              Show
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

interface TextLineProps {
  label: string;
  value: string;
  onChange(text: string): void;
}

function TextLine({ label, value, onChange }: TextLineProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} type="text" value={value} spellCheck={false} onChange={(event) => onChange(event.target.value)} />
    </div>
  );
}

interface JsonAreaProps {
  label: string;
  note?: string;
  value: Json | undefined;
  onChange(value: Json | undefined): void;
}

/** A text area for any JSON; empty stands for none. */
export function JsonArea({ label, note, value, onChange }: JsonAreaProps) {
  const id = useId();
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const { value: read, trouble } = text.trim() ? readJsonText(text) : { value: undefined, trouble: "" };
  useEffect(() => {
    if (!trouble && JSON.stringify(read) !== JSON.stringify(value)) onChange(read);
  }, [text]);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        rows={Math.min(Math.max(text.split("\n").length, 3), 14)}
        value={text}
        spellCheck={false}
        aria-invalid={trouble !== ""}
        aria-describedby={`${id}-notes`}
        onChange={(event) => setText(event.target.value)}
      />
      <div id={`${id}-notes`} className="field-notes">
        {note && <p>{note}</p>}
        {trouble && <p className="error">{trouble}</p>}
      </div>
    </div>
  );
}
