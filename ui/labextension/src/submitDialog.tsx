// A dialog whose accept button does something that may be refused: it then stays open, with the sentence.
import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { RefusedField } from './fields';
import { CapacityProblem, sentenceOf } from './request';

export interface SubmitOptions<R> {
  title: string;
  accept: string;
  /** Draws the fields; called again at every `FormBody.redraw`. */
  fields: () => React.JSX.Element;
  /** Hears of what went wrong, for what stands outside of the dialog. */
  onProblem?: (error: unknown) => void;
  /** Whether there is something that can be sent. */
  isReady?: () => boolean;
  submit: () => Promise<R>;
}

/** The fields in a form, and below them what went wrong. */
export class FormBody extends ReactWidget {
  problem = '';
  refused: string | null = null;
  isPending = false;

  constructor(private readonly fields: () => React.JSX.Element) {
    super();
    this.addClass('capacity-Form');
  }

  /** Whether each field holds; the browser shows the first that does not. */
  get isValid(): boolean {
    return this.node.querySelector('form')?.reportValidity() ?? false;
  }

  /** Bring a sentence, and the field that it is about, before the reader. */
  say(error: unknown): void {
    this.problem = sentenceOf(error);
    this.refused = error instanceof CapacityProblem ? error.field : null;
  }

  protected render(): React.JSX.Element {
    return (
      <form onSubmit={event => event.preventDefault()} aria-busy={this.isPending}>
        <RefusedField.Provider value={this.refused}>{this.fields()}</RefusedField.Provider>
        <div className="capacity-Form-problem" role="alert">
          {this.problem}
        </div>
        <Focus field={this.problem === '' ? null : this.refused} />
      </form>
    );
  }
}

export class SubmitDialog<R> extends Dialog<unknown> {
  /** What `submit` answered; undefined where the dialog was cancelled. */
  result: R | undefined;

  static show<R>(options: SubmitOptions<R>): SubmitDialog<R> {
    return new SubmitDialog(options, new FormBody(options.fields));
  }

  private constructor(
    private readonly options_: SubmitOptions<R>,
    private readonly form: FormBody
  ) {
    super({
      title: options_.title,
      body: form,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: options_.accept })],
      hasClose: true
    });
    this.addClass('capacity-Dialog');
    this.redraw();
  }

  redraw(): void {
    if (this.isDisposed) {
      return;
    }
    this.form.update();
    const button = this.acceptButton;
    if (button !== null) {
      button.disabled = this.form.isPending || !this.isReady;
      button.setAttribute('aria-disabled', String(button.disabled));
    }
  }

  /** Send instead of closing, where the accept button was pressed. */
  override resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
    } else if (this.isReady && !this.form.isPending && this.form.isValid) {
      void this.send();
    }
  }

  private async send(): Promise<void> {
    this.form.isPending = true;
    this.form.problem = '';
    this.form.refused = null;
    this.redraw();
    try {
      this.result = await this.options_.submit();
      super.resolve(1);
    } catch (error) {
      this.form.say(error);
      this.options_.onProblem?.(error);
    } finally {
      this.form.isPending = false;
      this.redraw();
    }
  }

  private get isReady(): boolean {
    return this.options_.isReady?.() ?? true;
  }

  private get acceptButton(): HTMLButtonElement | null {
    return this.node.querySelector<HTMLButtonElement>('.jp-Dialog-button.jp-mod-accept');
  }
}

/** Takes the reader to the field that was refused. */
function Focus({ field }: { field: string | null }): React.JSX.Element {
  const here = React.useRef<HTMLSpanElement>(null);
  React.useEffect(() => {
    const form = here.current?.closest('form');
    form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [field]);
  return <span ref={here} hidden />;
}
