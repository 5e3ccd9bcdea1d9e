// A chart of one metric, drawn small: a line per worker, a dashed mark where the job was restarted.
import * as React from 'react';

import type { Chart, Line, Point } from './series';
import { short } from './words';

const WIDTH = 320;
const HEIGHT = 140;
const LEFT = 50;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 22;

interface Frame {
  x: (value: number) => number;
  y: (value: number) => number;
  xs: [number, number];
  ys: [number, number];
}

export function Curve({ chart }: { chart: Chart }): React.JSX.Element {
  const frame = frameOf(chart.lines.flatMap(line => line.points));
  const last = chart.lines[0]?.points.at(-1);
  const newest = last === undefined ? '' : short(last.y);
  return (
    <figure className="capacity-Curve">
      <figcaption>
        {chart.metric} <strong>{newest}</strong>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${chart.metric} over ${frame.xs[1]} epochs, now ${newest}`}
      >
        <Axes frame={frame} />
        {chart.restarts.map(epoch => (
          <line
            key={epoch}
            className="capacity-Curve-restart"
            x1={frame.x(epoch)}
            x2={frame.x(epoch)}
            y1={TOP}
            y2={HEIGHT - BOTTOM}
          >
            <title>restarted</title>
          </line>
        ))}
        {[...chart.lines].reverse().map(line => (
          <Worker key={line.worker} line={line} frame={frame} />
        ))}
      </svg>
      {chart.lines.length > 1 && <Legend lines={chart.lines} />}
    </figure>
  );
}

function Legend({ lines }: { lines: Line[] }): React.JSX.Element {
  return (
    <div className="capacity-Curve-legend">
      {lines.map(({ worker }) => (
        <span key={worker}>
          <span className={toneOf(worker)} aria-hidden="true">
            ●
          </span>{' '}
          worker {worker}
        </span>
      ))}
    </div>
  );
}

function toneOf(worker: number): string {
  return `capacity-mod-worker${worker % 4}`;
}

function Axes({ frame }: { frame: Frame }): React.JSX.Element {
  const bottom = HEIGHT - BOTTOM;
  return (
    <g className="capacity-Curve-axes">
      <path d={`M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}`} />
      {distinct(frame.ys).map(value => (
        <text key={value} x={LEFT - 6} y={frame.y(value) + 4} textAnchor="end">
          {short(value, 3)}
        </text>
      ))}
      {distinct(frame.xs).map(value => (
        <text key={value} x={frame.x(value)} y={HEIGHT - 6} textAnchor="middle">
          {value}
        </text>
      ))}
    </g>
  );
}

function Worker({ line, frame }: { line: Line; frame: Frame }): React.JSX.Element {
  const places = line.points.map(point => `${frame.x(point.x)},${frame.y(point.y)}`);
  const last = line.points.at(-1);
  return (
    <g className={toneOf(line.worker)}>
      <title>{`worker ${line.worker}`}</title>
      <polyline points={places.join(' ')} />
      {last && <circle cx={frame.x(last.x)} cy={frame.y(last.y)} r={2.5} />}
    </g>
  );
}

function frameOf(points: Point[]): Frame {
  const xs = boundsOf(points.map(point => point.x));
  const ys = boundsOf(points.map(point => point.y));
  return {
    xs,
    ys,
    x: value => LEFT + (WIDTH - LEFT - RIGHT) * share(value, xs, 0),
    y: value => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share(value, ys, 0.5))
  };
}

/** Where the value stands between the bounds, from 0 to 1; `alone` where they are one. */
function share(value: number, [low, high]: [number, number], alone: number): number {
  return high === low ? alone : (value - low) / (high - low);
}

function boundsOf(values: number[]): [number, number] {
  return values.length === 0 ? [0, 1] : [Math.min(...values), Math.max(...values)];
}

function distinct([low, high]: [number, number]): number[] {
  return low === high ? [low] : [low, high];
}
