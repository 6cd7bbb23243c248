// The toolbar: what can be done with the whole drawing, and what validation says of it.

interface ToolbarProps {
  tenant: string;
  name: string;
  isSaved: boolean;
  isEmpty: boolean;
  verdict: string;
  onNew(): void;
  onOpen(): void;
  onSave(): void;
  onStart(): void;
  onLayOut(): void;
  onImport(): void;
  onExport(): void;
}

export function Toolbar(props: ToolbarProps) {
  const { tenant, name, isSaved, isEmpty, verdict } = props;
  return (
    <header className="toolbar">
      <h1>
        {name || "Canvas"}
        {!isEmpty && !isSaved && <span className="quiet"> (not saved)</span>}
      </h1>
      <div className="buttons" role="group" aria-label="Segment">
        <button type="button" onClick={props.onNew}>
          New
        </button>
        <button type="button" onClick={props.onOpen}>
          Open
        </button>
        <button type="button" onClick={props.onImport}>
          Import
        </button>
        <button type="button" disabled={isEmpty} onClick={props.onExport}>
          Export
        </button>
        <button type="button" disabled={isEmpty} onClick={props.onLayOut}>
          Lay out
        </button>
        <button type="button" className="primary" disabled={isEmpty} onClick={props.onSave}>
          Save
        </button>
        <button type="button" className="primary" disabled={isEmpty} onClick={props.onStart}>
          Start
        </button>
      </div>
      <output className="verdict" aria-label="Validation">
        {verdict}
      </output>
      <span className="tenant">{tenant}</span>
    </header>
  );
}
