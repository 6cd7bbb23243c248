// Form fields made from a JSON Schema; a text that cannot be read stays in its field and says why.

import { useEffect, useId, useState } from "react";
import type { Finding, Json, JsonObject } from "./types";

const LONG = /^(prompt|system_prompt|expression|description|message)$/;

const FORMS: { [kind in Kind]: string } = { text: "", number: "", lines: "One a line.", json: "As JSON." };

interface FieldsProps {
  schema: JsonObject;
  value: JsonObject;
  findings: Finding[];
  /** JSON pointer of the value in the document, by which findings find their fields. */
  pointer: string;
  onChange(value: JsonObject): void;
}

/** All properties of an object's schema; keys without a property follow as JSON. */
export function Fields({ schema, value, findings, pointer, onChange }: FieldsProps) {
  const properties = (schema.properties ?? {}) as { [name: string]: JsonObject };
  const required = new Set((schema.required as string[] | undefined) ?? []);
  const names = [...Object.keys(properties), ...Object.keys(value).filter((name) => !(name in properties))];
  const set = (name: string, next: Json | undefined): void => {
    const { [name]: _, ...others } = value;
    onChange(next === undefined ? others : { ...others, [name]: next });
  };
  return names.map((name) => (
    <Field
      key={name}
      name={name}
      schema={resolve(properties[name] ?? {}, schema)}
      value={value[name]}
      isRequired={required.has(name)}
      findings={findings.filter((one) => isBelow(one.pointer, `${pointer}/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`))}
      onChange={(next) => set(name, next)}
    />
  ));
}

interface FieldProps {
  name: string;
  schema: JsonObject;
  value: Json | undefined;
  isRequired: boolean;
  findings: Finding[];
  onChange(value: Json | undefined): void;
}

function Field({ name, schema, value, isRequired, findings, onChange }: FieldProps) {
  const id = useId();
  const [trouble, setTrouble] = useState("");
  const notes = findings.map((one) => ({ text: told(one), severity: one.severity as string }));
  if (trouble) notes.unshift({ text: trouble, severity: "error" });
  const form = FORMS[kindOf(schema, value)];
  const described = notes.length || schema.description || form ? `${id}-notes` : undefined;
  const shared = { id, "aria-describedby": described, "aria-invalid": notes.some((note) => note.severity === "error") };
  return (
    <div className="field">
      <label htmlFor={id}>
        {name}
        {isRequired && <span className="needed"> (required)</span>}
      </label>
      {control(name, schema, value, shared, onChange, setTrouble)}
      {described && (
        <div id={described} className="field-notes">
          {typeof schema.description === "string" && <p>{schema.description}</p>}
          {form && <p>{form}</p>}
          {notes.map((note) => (
            <p key={note.text} className={note.severity}>
              {note.text}
            </p>
          ))}
        </div>
      )}
    </div>
  );
}

type Shared = { id: string; "aria-describedby"?: string; "aria-invalid": boolean };

function control(
  name: string,
  schema: JsonObject,
  value: Json | undefined,
  shared: Shared,
  onChange: (value: Json | undefined) => void,
  setTrouble: (text: string) => void,
) {
  const hint = schema.default === undefined ? undefined : textOf(schema.default);
  if (Array.isArray(schema.enum) || schema.type === "boolean") {
    const options = Array.isArray(schema.enum) ? schema.enum : [true, false];
    const at = options.findIndex((option) => option === value);
    return (
      <select {...shared} value={at < 0 ? "" : String(at)} onChange={(event) => onChange(options[Number(event.target.value || -1)])}>
        <option value="">{hint === undefined ? "" : `${hint} (default)`}</option>
        {options.map((option, index) => (
          <option key={textOf(option)} value={String(index)}>
            {textOf(option)}
          </option>
        ))}
      </select>
    );
  }
  const kind = kindOf(schema, value);
  const isLong = kind === "json" || kind === "lines" || LONG.test(name);
  return <TextField shared={shared} kind={kind} isLong={isLong} hint={hint} value={value} onChange={onChange} setTrouble={setTrouble} />;
}

type Kind = "text" | "number" | "lines" | "json";

function kindOf(schema: JsonObject, value: Json | undefined): Kind {
  if (Array.isArray(schema.enum) || schema.type === "boolean") return "text";
  const isTexts = (schema.items as JsonObject | undefined)?.type === "string";
  if (schema.type === "string" && (value === undefined || typeof value === "string")) return "text";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.type === "array" && isTexts && (value === undefined || isListOfTexts(value))) return "lines";
  return "json";
}

function isListOfTexts(value: Json): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

interface TextFieldProps {
  shared: Shared;
  kind: Kind;
  isLong: boolean;
  hint: string | undefined;
  value: Json | undefined;
  onChange(value: Json | undefined): void;
  setTrouble(text: string): void;
}

function TextField({ shared, kind, isLong, hint, value, onChange, setTrouble }: TextFieldProps) {
  const [typed, setTyped] = useState(() => write(kind, value));
  useEffect(() => {
    // Another value than the typed text's came from outside: an import, another block.
    setTyped((present) => (sameJson(read(kind, present).value, value) ? present : write(kind, value)));
  }, [kind, value]);
  const take = (text: string): void => {
    setTyped(text);
    const { value: found, trouble } = read(kind, text);
    setTrouble(trouble);
    if (!trouble) onChange(found);
  };
  const both = { ...shared, value: typed, placeholder: hint, spellCheck: kind === "text" };
  if (isLong) {
    const rows = Math.min(Math.max(typed.split("\n").length, 2), 12);
    return <textarea {...both} rows={rows} onChange={(event) => take(event.target.value)} />;
  }
  return <input {...both} type="text" inputMode={kind === "number" ? "decimal" : "text"} onChange={(event) => take(event.target.value)} />;
}

function read(kind: Kind, text: string): { value: Json | undefined; trouble: string } {
  if (text.trim() === "") return { value: undefined, trouble: "" };
  if (kind === "text") return { value: text, trouble: "" };
  if (kind === "lines") {
    return { value: text.split("\n").map((line) => line.trim()).filter(Boolean), trouble: "" };
  }
  if (kind === "number") {
    const number = Number(text);
    return Number.isFinite(number) ? { value: number, trouble: "" } : { value: undefined, trouble: "Write a number." };
  }
  return readJsonText(text);
}

/** Read JSON that a person has typed. */
export function readJsonText(text: string): { value: Json | undefined; trouble: string } {
  try {
    return { value: JSON.parse(text) as Json, trouble: "" };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { value: undefined, trouble: `This is no JSON yet: ${why}` };
  }
}

function write(kind: Kind, value: Json | undefined): string {
  if (value === undefined) return "";
  if (kind === "lines" && isListOfTexts(value)) return value.join("\n");
  if (kind !== "json") return String(value);
  return JSON.stringify(value, null, 2);
}

function sameJson(one: Json | undefined, other: Json | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function resolve(schema: JsonObject, root: JsonObject): JsonObject {
  const ref = schema.$ref;
  if (typeof ref !== "string" || !ref.startsWith("#/$defs/")) return schema;
  const found = ((root.$defs ?? {}) as { [name: string]: JsonObject })[ref.slice("#/$defs/".length)] ?? {};
  return { ...found, ...schema };
}

function isBelow(pointer: string, field: string): boolean {
  return pointer === field || pointer.startsWith(`${field}/`);
}

/** A finding as a sentence, with its hint. */
export function told(finding: Finding): string {
  return finding.hint ? `${finding.message} Hint: ${finding.hint}` : finding.message;
}
