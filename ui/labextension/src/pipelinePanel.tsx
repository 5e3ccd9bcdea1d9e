// Follows a pipeline's run: each step with its result, the training's curve, the optimisation's table, the server.
import * as React from 'react';

import { Curves, Explanation, Workers } from './followed';
import { pipelineIcon } from './icons';
import { Action, FollowingPanel, Head, Lines, Notice } from './panel';
import { payloadOf, Pipeline, PipelineStepView } from './pipeline';
import { COMMIT_DIGITS, panelId, PipelinePlace } from './pipelinePlace';
import type { RequestView } from './wire';
import { isOver, short, stateOf } from './words';

export interface PipelineActs {
  follow: (view: RequestView) => void;
  /** A run of its own began. */
  onAgain: (view: RequestView) => void;
  showCell: (notebook: string, cell: number) => void;
}

/** What the steps above are drawn from. */
const EVENTS = /^\{"event": ?"step".*\n?/gm;
const CELL = /\bcell (\d+)\b/i;

export class PipelinePanel extends FollowingPanel<Pipeline> {
  constructor(
    pipeline: Pipeline,
    readonly place: PipelinePlace,
    private readonly acts: PipelineActs
  ) {
    super(pipeline, pipelineIcon, place.name);
    this.id = panelId(place);
    this.title.closable = true;
  }

  override dispose(): void {
    this.followed.dispose();
    super.dispose();
  }

  protected render(): React.JSX.Element {
    const { view, problem } = this.followed.run;
    if (view === null) {
      return problem === '' ? <p>Looking …</p> : <Notice text={problem} tone="bad" />;
    }
    return (
      <>
        <Head title={view.name} {...stateOf(view)}>
          {isOver(view) ? this.againButton(view) : this.cancelButton(view)}
          <a href={view.page_url} target="_blank" rel="noreferrer">
            Open its page
          </a>
        </Head>
        <Notice text={problem === '' ? '' : `${problem} Looking again …`} tone="waiting" />
        <Explanation view={view} />
        <Origin view={view} />
        <ol className="capacity-Pipeline" aria-label="Steps">
          {this.followed.steps.map(step => (
            <Step key={step.name} step={step} notebook={this.place.notebook} acts={this.acts} />
          ))}
        </ol>
        <Workers following={this.followed.run} hidden={EVENTS} />
        <Lines lines={this.place.lines} />
      </>
    );
  }

  private cancelButton(view: RequestView): React.JSX.Element {
    return (
      <Action label="Cancel" isDisabled={view.is_ending} onPress={() => this.followed.cancel()} />
    );
  }

  private againButton(view: RequestView): React.JSX.Element | null {
    const again = async () => this.acts.onAgain(await this.followed.again());
    return view.outcome === 'finished' ? null : <Action label="Run again" isMain onPress={again} />;
  }
}

function Origin({ view }: { view: RequestView }): React.JSX.Element | null {
  const payload = payloadOf(view);
  return payload === null ? null : (
    <p className="capacity-Form-help">
      Commit <code>{payload.commit.slice(0, COMMIT_DIGITS)}</code> of {payload.repository}
    </p>
  );
}

interface StepProps {
  step: PipelineStepView;
  notebook: string;
  acts: PipelineActs;
}

function Step({ step, notebook, acts }: StepProps): React.JSX.Element {
  const { said, event, child } = step;
  const cell = said.tone === 'bad' ? CELL.exec(event?.result ?? '')?.[1] : undefined;
  return (
    <li className={`capacity-mod-${said.tone}`} aria-current={event?.state === 'running' && 'step'}>
      <div className="capacity-Pipeline-step">
        <span className="capacity-Pipeline-sign" aria-hidden="true">
          {said.sign}
        </span>
        <strong>{step.title}</strong>
        <span className="capacity-Pipeline-word">{said.word}</span>
        <span className="capacity-Form-help">{secondsOf(event?.seconds ?? null)}</span>
      </div>
      {event !== null && event.result !== '' && (
        <p role={said.tone === 'bad' ? 'alert' : undefined}>{event.result}</p>
      )}
      {cell !== undefined && notebook !== '' && (
        <Action label={`Show cell ${cell}`} onPress={() => acts.showCell(notebook, Number(cell))} />
      )}
      {step.name === 'train' && child !== null && <Curves following={child} />}
      {event !== null && event.rows.length > 0 && <Table rows={event.rows} title={step.title} />}
      {child?.view != null && <Child view={child.view} follow={acts.follow} />}
    </li>
  );
}

function Child({
  view,
  follow
}: {
  view: RequestView;
  follow: PipelineActs['follow'];
}): React.JSX.Element {
  const what = view.kind === 'serving' ? 'model server' : 'job';
  const waits = view.status === 'queued' || view.status === 'held';
  return (
    <div className="capacity-Pipeline-child">
      <span>
        The {what} {view.name}: {stateOf(view).word.toLowerCase()}
        {waits && view.explanation !== null && `, ${view.explanation.sentence}`}
      </span>
      {view.url !== null && <a href={view.url}>{view.url}</a>}
      <Action label={`Follow the ${what}`} onPress={() => follow(view)} />
    </div>
  );
}

function Table({ rows, title }: { rows: string[][]; title: string }): React.JSX.Element {
  const [head = [], ...body] = rows;
  return (
    <table className="capacity-Table" aria-label={`${title}: what was compared`}>
      <thead>
        <tr>
          {head.map((name, at) => (
            <th key={at} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {body.map((row, at) => (
          <tr key={at}>
            {row.map((cell, column) => (
              <td key={column}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function secondsOf(seconds: number | null): string {
  return seconds === null ? '' : `${short(seconds, 3)} s`;
}
