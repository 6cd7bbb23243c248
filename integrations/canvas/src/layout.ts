// Automatic layout: layers from left to right, by dagre.

import dagre from "@dagrejs/dagre";
import type { BlockNode, LineEdge } from "./graph";

const WIDTH = 210;
const HEIGHT = 110;

export function layOut(nodes: BlockNode[], edges: LineEdge[]): BlockNode[] {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 40, ranksep: 90 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) {
    const { width = WIDTH, height = HEIGHT } = node.measured ?? {};
    graph.setNode(node.id, { width, height });
  }
  for (const edge of edges) graph.setEdge(edge.source, edge.target, {}, edge.id);
  dagre.layout(graph);
  return nodes.map((node) => {
    const { x, y, width, height } = graph.node(node.id);
    return { ...node, position: { x: x - width / 2, y: y - height / 2 } };
  });
}
