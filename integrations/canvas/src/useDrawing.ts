// The drawing that a person changes; a draft of it survives a reload of the page.

import { addEdge, applyEdgeChanges, applyNodeChanges, type Connection, type EdgeChange, type NodeChange } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { type BlockNode, type Drawing, draw, drawnLine, emptyDrawing, type LineEdge, newBlock, type Rest, write } from "./graph";
import { layOut } from "./layout";
import type { Card, Catalog, Segment, SegmentEdge, Step } from "./types";

const DRAFT = "llmteam-canvas-draft";
const GAP = 280;

/** The revision that the drawing was last saved as, or opened from. */
export interface SavedAs {
  segmentId: string;
  etag: string;
  text: string;
}

interface Draft {
  segment: Segment;
  savedAs: SavedAs;
}

const NOWHERE: SavedAs = { segmentId: "", etag: "", text: "" };

export function useDrawing() {
  const [drawing, setDrawing] = useState<Drawing>(emptyDrawing);
  const [savedAs, setSavedAs] = useState<SavedAs>(NOWHERE);
  const segment = useMemo(() => write(drawing), [drawing]);
  const text = useMemo(() => JSON.stringify(segment), [segment]);

  const change = useCallback((make: (before: Drawing) => Partial<Drawing>) => {
    setDrawing((before) => ({ ...before, ...make(before) }));
  }, []);

  const show = useCallback((shown: Segment, catalog: Catalog, saved?: { segmentId: string; etag: string }) => {
    const { isPlaced, ...drawn } = draw(shown, catalog);
    const placed = isPlaced ? drawn : { ...drawn, nodes: layOut(drawn.nodes, drawn.edges) };
    setDrawing(placed);
    setSavedAs(saved ? { ...saved, text: JSON.stringify(write(placed)) } : NOWHERE);
  }, []);

  const restore = useCallback((draft: Draft, catalog: Catalog) => {
    const { isPlaced: _, ...drawn } = draw(draft.segment, catalog);
    setDrawing(drawn);
    setSavedAs(draft.savedAs);
  }, []);

  useEffect(() => {
    if (drawing.nodes.length) keepDraft(text, savedAs);
  }, [drawing.nodes.length, text, savedAs]);

  const on = useMemo(
    () => ({
      nodes: (changes: NodeChange<BlockNode>[]) => change(({ nodes }) => ({ nodes: applyNodeChanges(changes, nodes) })),
      edges: (changes: EdgeChange<LineEdge>[]) => change(({ edges }) => ({ edges: applyEdgeChanges(changes, edges) })),
      connect: ({ source, sourceHandle, target, targetHandle }: Connection) =>
        change(({ edges }) => ({
          edges: addEdge(drawnLine(source, sourceHandle ?? "output", target, targetHandle ?? "input"), edges),
        })),
      add: (type: string, card: Card) =>
        change(({ nodes, edges, rest }) => {
          const last = nodes.find((node) => node.selected) ?? nodes.at(-1);
          let position = last ? { x: last.position.x + GAP, y: last.position.y } : { x: 0, y: 0 };
          while (nodes.some((node) => near(node.position, position))) position = { x: position.x, y: position.y + GAP / 2 };
          const block = newBlock(type, card, nodes, position);
          const others = nodes.map((node) => ({ ...node, selected: false }));
          const calm = edges.map((edge) => ({ ...edge, selected: false }));
          return { nodes: [...others, block], edges: calm, rest: { ...rest, entry: rest.entry || block.id } };
        }),
      step: (id: string, step: Step) =>
        change(({ nodes }) => ({ nodes: nodes.map((node) => (node.id === id ? { ...node, data: { step } } : node)) })),
      condition: (id: string, condition: string) =>
        change(({ edges }) => ({ edges: edges.map((edge) => (edge.id === id ? withCondition(edge, condition) : edge)) })),
      entry: (id: string) => change(({ rest }) => ({ rest: { ...rest, entry: id } })),
      document: (document: Rest["document"]) => change(({ rest }) => ({ rest: { ...rest, document } })),
      remove: (id: string) =>
        change(({ nodes, edges }) => ({
          nodes: nodes.filter((node) => node.id !== id),
          edges: edges.filter((edge) => ![edge.id, edge.source, edge.target].includes(id)),
        })),
      select: (id: string) =>
        change(({ nodes, edges }) => ({
          nodes: nodes.map((node) => ({ ...node, selected: node.id === id })),
          edges: edges.map((edge) => ({ ...edge, selected: edge.id === id })),
        })),
      layOut: () => change(({ nodes, edges }) => ({ nodes: layOut(nodes, edges) })),
      clear: () => {
        setDrawing(emptyDrawing());
        setSavedAs(NOWHERE);
        sessionStorage.removeItem(DRAFT);
      },
    }),
    [change],
  );
  return { drawing, segment, text, savedAs, setSavedAs, show, restore, on };
}

function near(one: { x: number; y: number }, other: { x: number; y: number }): boolean {
  return Math.abs(one.x - other.x) < GAP / 2 && Math.abs(one.y - other.y) < GAP / 3;
}

function withCondition(edge: LineEdge, condition: string): LineEdge {
  const { condition: _, ...written } = edge.data!.written;
  return { ...edge, data: { written: (condition ? { ...written, condition } : written) as SegmentEdge } };
}

function keepDraft(text: string, savedAs: SavedAs): void {
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify({ segment: JSON.parse(text), savedAs }));
  } catch {
    // A browser without room keeps no draft; the drawing itself is not touched.
  }
}

/** The drawing as it was before the page was loaded again. */
export function readDraft(): Draft | null {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT) ?? "null") as Draft | null;
  } catch {
    return null;
  }
}
