// A block of the drawing: its type, its name, its ports, what validation says and how its step goes.

import { Handle, type NodeProps, Position } from "@xyflow/react";
import { createContext, useContext } from "react";
import type { BlockNode } from "./graph";
import type { States } from "./live";
import { inputPorts, outputPorts } from "./ports";
import type { Catalog, Finding } from "./types";

export interface Surroundings {
  catalog: Catalog;
  usedInputs: Map<string, string[]>;
  usedOutputs: Map<string, string[]>;
  findings: Map<string, Finding[]>;
  states: States;
  taskUrls: Map<string, string>;
  entry: string;
}

export const SurroundingsContext = createContext<Surroundings | null>(null);

export function Block({ id, data, selected }: NodeProps<BlockNode>) {
  const around = useContext(SurroundingsContext)!;
  const { step } = data;
  const card = around.catalog.types[step.type];
  const findings = around.findings.get(step.step_id) ?? [];
  const worst = (["error", "warning", "info"] as const).find((level) => findings.some((one) => one.severity === level));
  const live = around.states[step.step_id];
  const task = around.taskUrls.get(step.step_id);
  const classes = ["block", selected && "is-selected", worst && `has-${worst}`, live && `is-${live.state}`];
  return (
    <div className={classes.filter(Boolean).join(" ")} data-step={step.step_id}>
      <div className="block-type">
        <span className="block-colour" style={{ background: card?.color ?? "#777" }} aria-hidden="true" />
        {card?.display_name ?? step.type}
        {around.entry === id && <span className="block-start">start</span>}
      </div>
      <div className="block-name">{step.name || step.step_id}</div>
      <div className="block-ports">
        <ul>
          {inputPorts(step, card, around.usedInputs.get(id) ?? []).map((port) => (
            <li key={port}>
              <Handle type="target" position={Position.Left} id={port} />
              {port}
            </li>
          ))}
        </ul>
        <ul>
          {outputPorts(step, card, around.usedOutputs.get(id) ?? []).map((port) => (
            <li key={port}>
              {port}
              <Handle type="source" position={Position.Right} id={port} />
            </li>
          ))}
        </ul>
      </div>
      {worst && (
        <div className={`block-findings ${worst}`} title={findings.map((one) => one.message).join("\n")}>
          {findings.length} {findings.length === 1 ? "finding" : "findings"}: {findings[0]?.message}
        </div>
      )}
      {live && (
        <div className="block-state">
          {live.state}
          {live.activations > 1 && ` · ${live.activations} times`}
          {task && live.state === "waiting" && (
            <a className="nodrag" href={task} target="_blank" rel="noopener noreferrer">
              Open the task
            </a>
          )}
        </div>
      )}
    </div>
  );
}
