// The page's entry.

import { ReactFlowProvider } from "@xyflow/react";
import { createRoot } from "react-dom/client";
import "@xyflow/react/dist/style.css";
import "./canvas.css";
import { App } from "./App";

createRoot(document.getElementById("canvas")!).render(
  <ReactFlowProvider>
    <App />
  </ReactFlowProvider>,
);
