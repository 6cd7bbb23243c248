// Drives a live stack by a client of openapi-typescript; prints what it found as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const client = createClient<paths>({
  baseUrl: process.env.LLMTEAM_URL,
  headers: { Authorization: `Bearer ${process.env.LLMTEAM_KEY}` },
});

const definition = JSON.parse(process.env.LLMTEAM_SEGMENT ?? "{}");
const saved = await client.PUT("/api/v1/segments/{segment_id}", {
  params: { path: { segment_id: "order_total" } },
  body: definition,
});
if (saved.error) throw new Error(JSON.stringify(saved.error));

const started = await client.POST("/api/v1/segments/{segment_id}/runs", {
  params: { path: { segment_id: "order_total" }, query: { wait: 20 } },
  body: { input: JSON.parse(process.env.LLMTEAM_INPUT ?? "{}"), client_reference: "openapi-typescript" },
});
if (started.error) throw new Error(JSON.stringify(started.error));
const run: components["schemas"]["Run"] = started.data;

const events = await client.GET("/api/v1/runs/{run_id}/events", { params: { path: { run_id: run.run_id } } });
if (events.error) throw new Error(JSON.stringify(events.error));
const ports: string[] = [];
for (const event of events.data.data) {
  if (event.event_type === "data.produced") ports.push(event.payload.port);
}
console.log(JSON.stringify({ status: run.status, output: run.output, calls: run.usage.model_calls, ports }));
