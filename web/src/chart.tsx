import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { moment } from "./format";
import { t, useSettings } from "./settings";

export interface Line {
  label: string;
  colour: "good" | "warn" | "bad" | "accent";
  values: (number | null)[];
  fill?: boolean;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Lines over time. `at` is in seconds since 1970; `summary` says in words what the lines show. */
export function Chart(props: { at: number[]; lines: Line[]; height: number; summary: string; unit: string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const settings = useSettings();
  const shape = props.lines.map((line) => line.label).join("\n");
  useEffect(() => {
    const parent = place.current;
    if (!parent) return;
    const axis = {
      stroke: colour("muted"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { stroke: colour("line"), width: 1, size: 4 },
      font: "11px system-ui, sans-serif",
    };
    const made = new uPlot(
      {
        width: Math.max(parent.clientWidth, 100),
        height: props.height,
        legend: { show: true, live: true },
        cursor: { points: { size: 5 }, drag: { x: true, y: false } },
        scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] } },
        axes: [
          { ...axis, size: 30, space: 80, values: (_, at, __, ___, step) => at.map((one) => moment(one, step < 60)) },
          { ...axis, size: 44, space: 26 },
        ],
        series: [
          { label: t("time"), value: (_, at) => (at ? moment(at, true) : "–") },
          ...props.lines.map((line) => ({
            label: line.label,
            stroke: colour(line.colour),
            width: 1.5,
            points: { show: false },
            value: (_: uPlot, value: number | null) =>
              value === null || value === undefined ? "–" : `${+value.toFixed(2)} ${props.unit}`,
            ...(line.fill ? { fill: `${colour(line.colour)}33` } : {}),
          })),
        ],
      },
      [props.at, ...props.lines.map((line) => line.values)] as uPlot.AlignedData,
      parent,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => {
      if (parent.clientWidth > 0) made.setSize({ width: parent.clientWidth, height: props.height });
    });
    resized.observe(parent);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [settings, shape, props.height, props.unit]);
  useEffect(() => {
    plot.current?.setData([props.at, ...props.lines.map((line) => line.values)] as uPlot.AlignedData);
  }, [props.at, props.lines]);
  return <div class="chart" ref={place} role="img" aria-label={props.summary} />;
}
