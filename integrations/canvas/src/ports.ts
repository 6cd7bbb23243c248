// The ports of a block: declared by its step, counted by its config, listed by its card, or used by an edge.

import type { Card, Step } from "./types";

export function outputPorts(step: Step, card: Card | undefined, used: Iterable<string>): string[] {
  const listed = step.ports?.output ?? configured(step) ?? card?.output_ports.map((port) => port.name) ?? ["output"];
  return unique([...listed, ...used]);
}

export function inputPorts(step: Step, card: Card | undefined, used: Iterable<string>): string[] {
  const listed = step.ports?.input ?? card?.input_ports.map((port) => port.name) ?? ["input"];
  const all = unique([...listed, ...used]);
  if (step.type !== "parallel_join" || step.ports?.input) return all;
  // A join takes as many branches as there are: one port more than those in use is always free.
  const taken = new Set(used);
  let spare = 1;
  while (taken.has(`branch_${spare}`)) spare += 1;
  return unique([...all, `branch_${spare}`]);
}

function configured(step: Step): string[] | null {
  const { branches, choices } = step.config;
  if (step.type === "parallel_split") {
    if (Array.isArray(branches)) return branches.map(String);
    if (typeof branches === "number") {
      const count = Math.min(Math.max(Math.trunc(branches), 0), 100);
      return Array.from({ length: count }, (_, index) => `branch_${index + 1}`);
    }
  }
  if (step.type === "human_task" && step.config.task_type === "choice" && Array.isArray(choices)) {
    const values = choices.map((choice) =>
      typeof choice === "object" && choice !== null && !Array.isArray(choice) ? String(choice.value) : String(choice),
    );
    return [...values, "approved", "timeout"];
  }
  return null;
}

function unique(names: string[]): string[] {
  return [...new Set(names)];
}
