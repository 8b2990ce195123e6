import type { Call, Transcript } from "./api";
import { t } from "./settings";

// What was made from what: calls that made something, from left to right, with lines to what they used.

interface Node {
  call: number;
  artifact: string;
  tool: string;
  turn: number;
  inputs: string[];
  layer: number;
  row: number;
  required: boolean;
}

function nodesOf(transcript: Transcript): Node[] {
  const required = new Set(transcript.required.map((one) => one.call));
  const layers = new Map<string, number>();
  const rows: number[] = [];
  const nodes: Node[] = [];
  transcript.calls.forEach((call: Call, i) => {
    if (!call.artifact) return;
    const layer = 1 + Math.max(-1, ...call.inputs.map((input) => layers.get(input) ?? 0));
    layers.set(call.artifact, layer);
    rows[layer] = (rows[layer] ?? -1) + 1;
    const { artifact, tool, turn, inputs } = call;
    nodes.push({ call: i, artifact, tool, turn, inputs, layer, row: rows[layer], required: required.has(i) });
  });
  return nodes;
}

const kWidth = 150;
const kHeight = 40;
const kGapX = 26;
const kGapY = 10;

function shortTool(tool: string): string {
  return tool.length > 21 ? `${tool.slice(0, 20)}…` : tool;
}

export function Lineage({ transcript, id }: { transcript: Transcript; id: string }) {
  const nodes = nodesOf(transcript);
  if (nodes.length === 0) return <p class="muted pad">{t("lineage.none")}</p>;
  // Top to bottom: a sidebar is narrow, dialogues are long.
  const x = (node: Node) => 4 + node.row * (kWidth + kGapX);
  const y = (node: Node) => 4 + node.layer * (kHeight + kGapY + 14);
  const width = 8 + Math.max(...nodes.map(x)) + kWidth;
  const height = 8 + Math.max(...nodes.map(y)) + kHeight;
  const byArtifact = new Map(nodes.map((node) => [node.artifact, node]));
  return (
    <div class="scroll lineage" tabIndex={0} role="region" aria-label={t("lineage")}>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
        {nodes.flatMap((node) =>
          node.inputs.map((input) => {
            const from = byArtifact.get(input);
            if (!from) return null;
            const x1 = x(from) + kWidth / 2;
            const x2 = x(node) + kWidth / 2;
            const y1 = y(from) + kHeight;
            const y2 = y(node);
            const bend = (y2 - y1) / 2;
            return (
              <path
                key={`${input}→${node.call}`}
                class="edge"
                d={`M${x1},${y1} C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}`}
              />
            );
          }),
        )}
        {nodes.map((node) => (
          <a key={node.call} href={`#${id}-turn-${node.turn}`}>
            <title>{t("lineage.node", { artifact: node.artifact, tool: node.tool, turn: node.turn + 1 })}</title>
            <rect
              class={`node ${node.required ? "required" : ""}`}
              x={x(node)}
              y={y(node)}
              width={kWidth}
              height={kHeight}
              rx="5"
            />
            <text class="node-name" x={x(node) + 8} y={y(node) + 16}>
              {node.artifact}
            </text>
            <text class="node-tool" x={x(node) + 8} y={y(node) + 31}>
              {shortTool(node.tool)}
            </text>
          </a>
        ))}
      </svg>
    </div>
  );
}
