// The shapes of the public API that the canvas reads and writes.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Port {
  name: string;
  type: string;
  description: string;
  required: boolean;
}

export interface Card {
  type_id: string;
  display_name: string;
  description: string;
  category: string;
  color: string;
  config_schema: JsonObject;
  input_ports: Port[];
  output_ports: Port[];
  examples: JsonObject[];
}

export interface Catalog {
  version: string;
  categories: string[];
  types: { [typeId: string]: Card };
}

/** One step of a segment; keys that the canvas does not know stay where they are. */
export interface Step {
  step_id: string;
  type: string;
  name?: string;
  config: JsonObject;
  ports?: { input?: string[]; output?: string[] };
  position?: { x: number; y: number };
  [key: string]: unknown;
}

export interface SegmentEdge {
  from: string;
  to: string;
  from_port?: string;
  to_port?: string;
  condition?: string;
  [key: string]: unknown;
}

/** A segment without what is drawn. */
export interface SegmentDocument {
  version: string;
  segment_id: string;
  name: string;
  description?: string;
  input_schema?: JsonObject;
  [key: string]: unknown;
}

export interface Segment extends SegmentDocument {
  entrypoint: string;
  steps: Step[];
  edges: SegmentEdge[];
}

export interface Finding {
  severity: "error" | "warning" | "info";
  code: string;
  pointer: string;
  step_id: string | null;
  edge: number | null;
  message: string;
  hint: string | null;
}

export interface Validation {
  valid: boolean;
  findings: Finding[];
  normalized: Segment | null;
}

export interface SavedSegment {
  segment_id: string;
  name: string;
  revision: number;
  updated_at: string;
  definition: Segment;
}

export interface Waiting {
  kind: string;
  ref: string;
  since: string;
  task_url?: string;
}

export interface Run {
  run_id: string;
  segment_id: string;
  status: string;
  output: Json;
  error?: { code: string; message: string; step_id?: string | null };
  waiting_for: Waiting[];
}

/** One activation of a step, as the API lists it. */
export interface Activation {
  step_id: string;
  activation: number;
  status: string;
  attempts: number;
  inputs: JsonObject | null;
  output: Json;
  error?: JsonObject | null;
  duration_ms: number | null;
}

export interface RunEvent {
  seq?: number;
  event_type: string;
  step_id?: string | null;
  activation?: number | null;
  cursor?: number | string | null;
  code?: string;
  detail?: string;
}

export interface Token {
  token: string;
  expires_at: string;
  scopes: string[];
}

export const OVER = new Set(["completed", "failed", "timed_out", "cancelled"]);
