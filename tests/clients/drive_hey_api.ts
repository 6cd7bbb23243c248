// Drives a live stack by a client of hey-api; prints what it found as JSON.
import { client } from "./hey/client.gen.js";
import { listRunEvents, saveSegment, startSegment } from "./hey/sdk.gen.js";

client.setConfig({ baseUrl: process.env.LLMTEAM_URL, auth: process.env.LLMTEAM_KEY });

const definition = JSON.parse(process.env.LLMTEAM_SEGMENT ?? "{}");
await saveSegment({ path: { segment_id: "order_total" }, body: definition, throwOnError: true });
const { data: run } = await startSegment({
  path: { segment_id: "order_total" },
  query: { wait: 20 },
  body: { input: JSON.parse(process.env.LLMTEAM_INPUT ?? "{}"), client_reference: "hey-api" },
  throwOnError: true,
});
const { data: page } = await listRunEvents({ path: { run_id: run.run_id }, throwOnError: true });
const ports: string[] = [];
for (const event of page.data) {
  if (event.event_type === "data.produced") ports.push(event.payload.port);
}
console.log(JSON.stringify({ status: run.status, output: run.output, calls: run.usage.model_calls, ports }));
