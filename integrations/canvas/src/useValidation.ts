// Validation while a person draws: the last document is sent once they rest.

import { useEffect, useState } from "react";
import { type Api, sentenceOf } from "./api";
import { stepOf } from "./graph";
import type { Finding, Segment } from "./types";

const REST_MS = 400;

export interface Judged {
  /** What it was: the text of the document, by which one sees whether it is the present one. */
  text: string;
  findings: Finding[];
  trouble: string;
}

export interface Findings {
  byStep: Map<string, Finding[]>;
  byEdge: Map<number, Finding[]>;
}

export function useValidation(api: Api, text: string, isWanted: boolean): Judged {
  const [judged, setJudged] = useState<Judged>({ text: "", findings: [], trouble: "" });
  useEffect(() => {
    if (!isWanted) return;
    const control = new AbortController();
    const timer = window.setTimeout(() => {
      api.validate(JSON.parse(text), control.signal).then(
        ({ findings }) => {
          if (!control.signal.aborted) setJudged({ text, findings, trouble: "" });
        },
        (error: unknown) => {
          if (!control.signal.aborted) setJudged({ text, findings: [], trouble: sentenceOf(error) });
        },
      );
    }, REST_MS);
    return () => {
      window.clearTimeout(timer);
      control.abort();
    };
  }, [api, text, isWanted]);
  return judged;
}

/** Sort findings to the blocks and lines they are shown at. `lines` is the number of edges that are drawn. */
export function sortFindings(findings: Finding[], segment: Segment, lines: number): Findings {
  const sorted: Findings = { byStep: new Map(), byEdge: new Map() };
  for (const finding of findings) {
    const step = stepOf(finding, segment);
    const edge = finding.edge ?? edgeOf(finding.pointer);
    if (edge !== null && edge < lines) put(sorted.byEdge, edge, finding);
    else if (edge === null && step !== null) put(sorted.byStep, step, finding);
  }
  return sorted;
}

function edgeOf(pointer: string): number | null {
  const found = /^\/edges\/(\d+)(\/|$)/.exec(pointer);
  return found ? Number(found[1]) : null;
}

function put<Key>(map: Map<Key, Finding[]>, key: Key, finding: Finding): void {
  map.set(key, [...(map.get(key) ?? []), finding]);
}
