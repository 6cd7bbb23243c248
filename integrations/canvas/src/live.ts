// The state of each step of a run, folded from its events.

import type { RunEvent } from "./types";

export interface StepState {
  state: string;
  activations: number;
}

export type States = { [stepId: string]: StepState };

const BY_EVENT: { [type: string]: string } = {
  "step.started": "running",
  "step.completed": "completed",
  "step.failed": "failed",
  "step.skipped": "skipped",
  "step.retrying": "retrying",
  "step.waiting": "waiting",
  "human.task_created": "waiting",
};

export function fold(states: States, event: RunEvent): States {
  const state = BY_EVENT[event.event_type];
  if (!state || !event.step_id) return states;
  const before = states[event.step_id];
  const activations = Math.max(before?.activations ?? 0, event.activation ?? 1);
  return { ...states, [event.step_id]: { state, activations } };
}
