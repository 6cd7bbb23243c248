// The editor: toolbar, palette, drawing, side panel, and what is asked in between.

import { Background, Controls, MarkerType, ReactFlow, useReactFlow } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { Problem, sentenceOf } from "./api";
import { Block, type Surroundings, SurroundingsContext } from "./Block";
import { ImportDialog, OpenDialog, SignInDialog, StartDialog } from "./dialogs";
import { stepOf, usedPorts } from "./graph";
import { BlockForm, LineForm, SegmentForm } from "./Inspector";
import { Palette } from "./Palette";
import { RunPanel } from "./RunPanel";
import { Toolbar } from "./Toolbar";
import type { Catalog, Finding, Json, Segment } from "./types";
import { readDraft, useDrawing } from "./useDrawing";
import { useRun } from "./useRun";
import { useSignIn } from "./useSignIn";
import { sortFindings, useValidation } from "./useValidation";

const NODE_TYPES = { block: Block };
const LINES = { markerEnd: { type: MarkerType.ArrowClosed } };

interface Notice {
  text: string;
  isTrouble: boolean;
  /** Offered beside the text. */
  action?: { label: string; act(): void };
}

export function App() {
  const { api, session, reason, take } = useSignIn();
  const [catalog, setCatalog] = useState<Catalog | null>(null);
  const [notice, setNotice] = useState<Notice | null>(null);
  const [dialog, setDialog] = useState<"open" | "import" | "start" | null>(null);
  const [input, setInput] = useState<Json>({});
  const { fitView } = useReactFlow();
  const { drawing, segment, text, savedAs, setSavedAs, show, restore, on } = useDrawing();
  const { nodes, edges, rest } = drawing;
  const judged = useValidation(api, text, session !== null && nodes.length > 0);
  const complain = useCallback((sentence: string) => setNotice({ text: sentence, isTrouble: true }), []);
  const say = useCallback((sentence: string) => setNotice({ text: sentence, isTrouble: false }), []);
  const { run, activations, states, watch, close } = useRun(api, complain);
  const isSaved = savedAs.text === text;
  const fit = useCallback(() => void fitView({ maxZoom: 1, padding: 0.15 }), [fitView]);

  useEffect(() => {
    if (!session || catalog) return;
    api.catalog().then((found) => {
      setCatalog(found);
      const draft = readDraft();
      if (draft) restore(draft, found);
    }, (error: unknown) => complain(sentenceOf(error)));
  }, [api, session, catalog, restore, complain]);

  const measured = nodes.filter((node) => node.measured).length;
  useEffect(() => {
    const frame = requestAnimationFrame(fit);
    return () => cancelAnimationFrame(frame);
  }, [measured, fit]);

  const findings = useMemo(() => sortFindings(judged.findings, segment, edges.length), [judged, segment, edges.length]);
  const entry = nodes.some((node) => node.id === rest.entry) ? rest.entry : (nodes[0]?.id ?? "");
  const surroundings = useMemo((): Surroundings | null => {
    if (!catalog) return null;
    const taskUrls = new Map((run?.waiting_for ?? []).flatMap((one) => (one.task_url ? [[one.ref.split("#")[0] ?? "", one.task_url] as const] : [])));
    const used = { usedInputs: usedPorts(edges, "target"), usedOutputs: usedPorts(edges, "source") };
    return { catalog, ...used, findings: findings.byStep, states, taskUrls, entry };
  }, [catalog, edges, findings, states, run, entry]);

  const shownNodes = useMemo(
    () => nodes.map((node) => ({ ...node, ariaLabel: `Block ${node.data.step.step_id}` })),
    [nodes],
  );
  const shownEdges = useMemo(() => {
    const names = new Map(nodes.map((node) => [node.id, node.data.step.step_id]));
    return edges.map((edge, index) => ({
      ...edge,
      ariaLabel: `Line from ${names.get(edge.source)} to ${names.get(edge.target)}`,
      label: edge.data?.written.condition,
      className: findings.byEdge.has(index) ? "has-finding" : "",
    }));
  }, [nodes, edges, findings]);

  const save = async (etag: string): Promise<void> => {
    const { saved, etag: tag } = await api.save(segment, etag);
    setSavedAs({ segmentId: segment.segment_id, etag: tag, text });
    say(`Saved as revision ${saved.revision}.`);
  };
  const saveOrAsk = (): void => {
    const etag = savedAs.segmentId === segment.segment_id ? savedAs.etag : "";
    save(etag).catch((error: unknown) => {
      const isOld = error instanceof Problem && error.status === 412;
      const action = { label: "Save all the same", act: () => void save("*").catch((again: unknown) => complain(sentenceOf(again))) };
      setNotice({ text: sentenceOf(error), isTrouble: true, action: isOld ? action : undefined });
    });
  };
  const open = (segmentId: string): void => {
    setDialog(null);
    api.segment(segmentId).then(({ saved, etag }) => {
      close();
      show(saved.definition, catalog!, { segmentId, etag });
      say(`${saved.name}, revision ${saved.revision}.`);
    }, (error: unknown) => complain(sentenceOf(error)));
  };
  const takeIn = async (written: string): Promise<void> => {
    const { normalized, findings: found } = await api.validate(readDocument(written));
    if (!normalized) throw new Error(found.slice(0, 3).map((one) => one.message).join(" ") || "This is no segment.");
    close();
    show(normalized, catalog!);
    setDialog(null);
  };
  const start = async (): Promise<void> => {
    if (!isSaved) await save(savedAs.segmentId === segment.segment_id ? savedAs.etag : "");
    const started = await api.start(segment.segment_id, input);
    setDialog(null);
    watch(started);
  };
  const cancel = (): void => {
    if (run) api.command(run.run_id, "cancel").then(() => say("The run is being cancelled."), (error: unknown) => complain(sentenceOf(error)));
  };

  const showFinding = (finding: Finding): void => {
    const step = stepOf(finding, segment);
    const id = finding.edge === null ? nodes.find((node) => node.data.step.step_id === step)?.id : edges[finding.edge]?.id;
    if (id) on.select(id);
  };

  const chosen = nodes.find((node) => node.selected);
  const line = chosen ? undefined : edges.find((edge) => edge.selected);
  const stepNames = (id: string): string => nodes.find((node) => node.id === id)?.data.step.step_id ?? "";
  return (
    <div className="editor">
      <Toolbar
        tenant={session?.tenant ?? ""}
        name={segment.name}
        isSaved={isSaved}
        isEmpty={nodes.length === 0}
        verdict={verdict(judged.findings.length, judged.findings.filter((one) => one.severity === "error").length, judged, text, nodes.length)}
        onNew={() => {
          close();
          on.clear();
        }}
        onOpen={() => setDialog("open")}
        onSave={saveOrAsk}
        onStart={() => setDialog("start")}
        onLayOut={() => {
          on.layOut();
          window.setTimeout(fit, 50);
        }}
        onImport={() => setDialog("import")}
        onExport={() => download(segment)}
      />
      <div className="notices" role="status">
        {notice && (
          <p className={notice.isTrouble ? "trouble" : "good"}>
            {notice.text}
            {notice.action && (
              <button type="button" onClick={notice.action.act}>
                {notice.action.label}
              </button>
            )}
            <button type="button" aria-label="Close the notice" onClick={() => setNotice(null)}>
              ×
            </button>
          </p>
        )}
      </div>
      {catalog && <Palette catalog={catalog} onAdd={on.add} />}
      <main className="drawing" aria-label="Drawing">
        {surroundings && (
          <SurroundingsContext value={surroundings}>
            <ReactFlow
              nodes={shownNodes}
              edges={shownEdges}
              nodeTypes={NODE_TYPES}
              defaultEdgeOptions={LINES}
              onNodesChange={on.nodes}
              onEdgesChange={on.edges}
              onConnect={on.connect}
              deleteKeyCode={["Delete", "Backspace"]}
              colorMode="system"
              minZoom={0.1}
              fitView
            >
              <Background />
              <Controls showInteractive={false} />
            </ReactFlow>
          </SurroundingsContext>
        )}
        {catalog && nodes.length === 0 && <p className="hint">Choose a block from the palette to begin.</p>}
      </main>
      <aside className="side" aria-label="Properties">
        {run && (
          <RunPanel api={api} run={run} activations={activations} stepId={chosen?.data.step.step_id ?? null} onCancel={cancel} onClose={close} />
        )}
        {catalog && chosen && (
          <BlockForm
            key={chosen.id}
            node={chosen}
            index={nodes.indexOf(chosen)}
            nodes={nodes}
            edges={edges}
            catalog={catalog}
            findings={findings.byStep.get(chosen.data.step.step_id) ?? []}
            isEntry={entry === chosen.id}
            onStep={(step) => on.step(chosen.id, step)}
            onEntry={() => on.entry(chosen.id)}
            onDelete={() => on.remove(chosen.id)}
            onConnect={(port, target, targetPort) =>
              on.connect({ source: chosen.id, sourceHandle: port, target, targetHandle: targetPort })
            }
          />
        )}
        {line && (
          <LineForm
            key={line.id}
            edge={line}
            names={[stepNames(line.source), stepNames(line.target)]}
            findings={findings.byEdge.get(edges.indexOf(line)) ?? []}
            onCondition={(condition) => on.condition(line.id, condition)}
            onDelete={() => on.remove(line.id)}
          />
        )}
        {catalog && !chosen && !line && (
          <SegmentForm key={savedAs.segmentId} rest={rest} findings={judged.findings} onShow={showFinding} onChange={on.document} />
        )}
      </aside>
      {dialog === "open" && <OpenDialog api={api} onOpen={open} onClose={() => setDialog(null)} />}
      {dialog === "import" && <ImportDialog onImport={takeIn} onClose={() => setDialog(null)} />}
      {dialog === "start" && (
        <StartDialog segment={segment} isSaved={isSaved} input={input} onInput={setInput} onStart={start} onClose={() => setDialog(null)} />
      )}
      {reason !== null && <SignInDialog reason={reason} take={take} />}
    </div>
  );
}

function verdict(all: number, errors: number, judged: { text: string; trouble: string }, text: string, blocks: number): string {
  if (!blocks) return "";
  if (judged.trouble) return judged.trouble;
  if (judged.text !== text) return "Checking…";
  if (errors) return errors === 1 ? "1 error" : `${errors} errors`;
  return all ? `Valid, ${all} to note` : "Valid";
}

function readDocument(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${sentenceOf(error)}`);
  }
}

function download(segment: Segment): void {
  const address = URL.createObjectURL(new Blob([JSON.stringify(segment, null, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${segment.segment_id || "segment"}.json`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 1000);
}
