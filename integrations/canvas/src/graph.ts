// The drawing, and its way from and to a segment's document. What the canvas does not know is kept as it came.

import type { Edge, Node } from "@xyflow/react";
import { inputPorts, outputPorts } from "./ports";
import type { Card, Catalog, Finding, JsonObject, Segment, SegmentDocument, SegmentEdge, Step } from "./types";

export type BlockNode = Node<{ step: Step }, "block">;
export type LineEdge = Edge<{ written: SegmentEdge }>;

/** All of a segment but its steps and edges; edges that lead nowhere are kept in `loose`. */
export interface Rest {
  document: SegmentDocument;
  /** Id of the block where a run begins. */
  entry: string;
  loose: SegmentEdge[];
}

export interface Drawing {
  nodes: BlockNode[];
  edges: LineEdge[];
  rest: Rest;
}

let made = 0;

function newId(kind: string): string {
  made += 1;
  return `${kind}${made}`;
}

export function emptyDrawing(): Drawing {
  const document = { version: "1.0", segment_id: "my_segment", name: "My segment" };
  return { nodes: [], edges: [], rest: { document, entry: "", loose: [] } };
}

/** Draw a segment. Blocks without a place get (0, 0); `isPlaced` tells whether all have one. */
export function draw(segment: Segment, catalog: Catalog): Drawing & { isPlaced: boolean } {
  const { steps, edges, entrypoint, ...document }: Segment = segment;
  const nodes = steps.map((step): BlockNode => {
    const { position, ...other } = step;
    const place = { x: Number(position?.x ?? 0), y: Number(position?.y ?? 0) };
    return { id: newId("b"), type: "block", position: place, data: { step: { ...other, config: step.config ?? {} } } };
  });
  const idOf = new Map(nodes.map((node) => [node.data.step.step_id, node.id]));
  const lines: LineEdge[] = [];
  const loose: SegmentEdge[] = [];
  for (const written of edges ?? []) {
    const source = idOf.get(written.from);
    const target = idOf.get(written.to);
    if (source && target) lines.push(line(source, target, written, nodes, catalog));
    else loose.push(written);
  }
  const places = new Set(steps.map((step) => (step.position ? `${step.position.x},${step.position.y}` : "")));
  const isPlaced = !places.has("") && places.size === steps.length;
  return { nodes, edges: lines, rest: { document, entry: idOf.get(entrypoint) ?? "", loose }, isPlaced };
}

function line(source: string, target: string, written: SegmentEdge, nodes: BlockNode[], catalog: Catalog): LineEdge {
  const from = nodes.find((node) => node.id === source)!.data.step;
  const to = nodes.find((node) => node.id === target)!.data.step;
  const sourceHandle = written.from_port ?? outputPorts(from, catalog.types[from.type], [])[0] ?? "output";
  const targetHandle = written.to_port ?? inputPorts(to, catalog.types[to.type], [])[0] ?? "input";
  return { id: newId("e"), source, target, sourceHandle, targetHandle, data: { written } };
}

/** A line that a person has drawn: it names both its ports. */
export function drawnLine(source: string, sourceHandle: string, target: string, targetHandle: string): LineEdge {
  const written = { from: "", to: "", from_port: sourceHandle, to_port: targetHandle };
  return { id: newId("e"), source, target, sourceHandle, targetHandle, data: { written } };
}

/** A new block; what its card requires and has a default for is written. */
export function newBlock(type: string, card: Card | undefined, nodes: BlockNode[], position: { x: number; y: number }): BlockNode {
  const taken = new Set(nodes.map((node) => node.data.step.step_id));
  const stem = type.toLowerCase().replace(/[^a-z0-9_]/g, "_");
  let stepId = stem;
  for (let number = 2; taken.has(stepId); number++) stepId = `${stem}_${number}`;
  const properties = (card?.config_schema.properties ?? {}) as { [name: string]: JsonObject };
  const required = (card?.config_schema.required ?? []) as string[];
  const written = required.filter((name) => properties[name]?.default !== undefined);
  const config = Object.fromEntries(written.map((name) => [name, properties[name]!.default!]));
  const step = { step_id: stepId, type, config };
  return { id: newId("b"), type: "block", position, data: { step }, selected: true };
}

/** Write the document of a drawing. Its edges stand in the order of the lines, the loose ones behind them. */
export function write({ nodes, edges, rest }: Drawing): Segment {
  const stepIdOf = new Map(nodes.map((node) => [node.id, node.data.step.step_id]));
  const entry = stepIdOf.get(rest.entry) ?? nodes[0]?.data.step.step_id ?? "";
  const steps = nodes.map(({ data, position }): Step => {
    const place = { x: Math.round(position.x), y: Math.round(position.y) };
    return { ...data.step, position: place };
  });
  const lines = edges.map((edge): SegmentEdge => {
    const written = edge.data?.written;
    return { ...written, from: stepIdOf.get(edge.source) ?? "", to: stepIdOf.get(edge.target) ?? "" };
  });
  return { ...rest.document, entrypoint: entry, steps, edges: [...lines, ...rest.loose] };
}

/** The step a finding is about: it names it, or points at it. */
export function stepOf(finding: Finding, segment: Segment): string | null {
  if (finding.step_id !== null) return finding.step_id;
  const found = /^\/steps\/(\d+)(\/|$)/.exec(finding.pointer);
  return found ? (segment.steps[Number(found[1])]?.step_id ?? null) : null;
}

/** The names of the ports that lines use, by block. */
export function usedPorts(edges: LineEdge[], side: "source" | "target"): Map<string, string[]> {
  const used = new Map<string, string[]>();
  for (const edge of edges) {
    const name = side === "source" ? edge.sourceHandle : edge.targetHandle;
    const block = side === "source" ? edge.source : edge.target;
    if (name) used.set(block, [...(used.get(block) ?? []), name]);
  }
  return used;
}
