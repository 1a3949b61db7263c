/**
 * The editor of one case: the text is coloured, what the service finds in it is shown at every pause and marked at its lines, and a dry
 * run fills its panel without leaving the page. The form stays the form that it is without scripts.
 */
import { createEditor, type PrismEditor } from 'prism-code-editor';
import { defaultCommands, editHistory, setIgnoreTab } from 'prism-code-editor/commands';
import 'prism-code-editor/languages/json';
import 'prism-code-editor/languages/yaml';
import 'prism-code-editor/prism/languages/json';
import 'prism-code-editor/prism/languages/yaml';

/** After so long without a key the text is checked, in milliseconds. */
const pauseMs = 350;

const form = document.querySelector<HTMLFormElement>('#editor');
const plain = form?.querySelector<HTMLTextAreaElement>('textarea[data-code]');
const language = form?.querySelector<HTMLSelectElement>('select[name="form"]');
const findings = form?.querySelector<HTMLElement>('#findings');
const dryRun = form?.querySelector<HTMLElement>('#dry-run');
if (form && plain && language && findings && dryRun) begin(form, plain, language, findings, dryRun);

function begin(
  form: HTMLFormElement,
  plain: HTMLTextAreaElement,
  language: HTMLSelectElement,
  findings: HTMLElement,
  dryRun: HTMLElement,
): void {
  // The key that leads on in a form does so here too, unless it is told to indent (WCAG 2.1.2).
  setIgnoreTab(true);
  const editor = takePlaceOf(plain, language.value);
  const check = inTurns(async () => {
    show(findings, await ask(form, 'check'));
    mark(editor, findings);
  });
  let pause = 0;
  editor.on('update', () => {
    // Lines that were typed into are new elements.
    mark(editor, findings);
    clearTimeout(pause);
    pause = setTimeout(check, pauseMs);
  });
  language.addEventListener('change', () => editor.setOptions({ language: language.value }));
  language.addEventListener('change', check);
  findings.addEventListener('click', ({ target }) => {
    const place = target instanceof Element ? target.closest<HTMLElement>('.place') : null;
    if (place !== null) goTo(editor, Number(place.dataset.line), Number(place.dataset.column));
  });
  for (const hint of form.querySelectorAll<HTMLElement>('[data-with-script]')) hint.hidden = false;
  // What is checked by itself need not be asked for.
  for (const button of form.querySelectorAll<HTMLElement>('button[data-check]')) button.hidden = true;
  const run = inTurns(async () => {
    dryRun.ariaBusy = 'true';
    show(dryRun, await ask(form, 'dry-run'));
    dryRun.ariaBusy = 'false';
  });
  form.addEventListener('submit', (event) => {
    const doing = event.submitter?.getAttribute('value');
    if (doing !== 'check' && doing !== 'dry-run') return;
    event.preventDefault();
    if (doing === 'check') check();
    else run();
  });
  check();
}

/** The editor, in the place of the plain text, under its name and its label. */
function takePlaceOf(plain: HTMLTextAreaElement, language: string): PrismEditor {
  const place = document.createElement('div');
  place.className = 'code-editor';
  const { selectionStart, selectionEnd } = plain;
  const isWrittenIn = document.activeElement === plain;
  plain.replaceWith(place);
  const options = { language, value: plain.value, wordWrap: true, lineNumbers: true };
  const editor = createEditor(place, options, defaultCommands(), editHistory());
  const { textarea } = editor;
  textarea.id = plain.id;
  textarea.name = plain.name;
  textarea.maxLength = plain.maxLength;
  textarea.setAttribute('aria-describedby', 'findings');
  // Who writes already goes on where they are.
  if (isWrittenIn) {
    textarea.focus();
    textarea.setSelectionRange(selectionStart, selectionEnd);
  }
  return editor;
}

/** What the service makes of the form: a part of this page, escaped there. */
async function ask(form: HTMLFormElement, what: 'check' | 'dry-run'): Promise<string> {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === 'string') fields.append(name, value);
  try {
    const answer = await fetch(`${form.action}/${what}`, {
      method: 'POST',
      body: fields,
      headers: { accept: '*/*' },
    });
    if (answer.ok) return await answer.text();
    const problem: unknown = await answer.json().catch(() => undefined);
    const detail: unknown = Reflect.get(Object(problem), 'detail');
    return noticeOf(typeof detail === 'string' ? detail : `the service answered ${answer.status}`);
  } catch {
    return noticeOf('the service does not answer');
  }
}

function noticeOf(text: string): string {
  const notice = document.createElement('p');
  notice.className = 'notice bad';
  notice.textContent = text;
  return notice.outerHTML;
}

function show(place: HTMLElement, part: string): void {
  // Who listens to the page need not hear the same again.
  if (place.innerHTML.trim() !== part.trim()) place.innerHTML = part;
}

/** Marks the lines that something is found in, and says of the text whether it is sound. */
function mark({ lines, textarea }: PrismEditor, findings: HTMLElement): void {
  const places = [...findings.querySelectorAll<HTMLElement>('.place')];
  const wrong = new Set(places.map(({ dataset }) => Number(dataset.line)));
  for (const [number, line] of [...lines].entries()) line.classList.toggle('wrong', wrong.has(number));
  textarea.ariaInvalid = findings.querySelector('.findings') === null ? 'false' : 'true';
  for (const place of places) {
    place.setAttribute('role', 'button');
    place.tabIndex = 0;
    place.onkeydown = (event) => {
      if (event.key === 'Enter') place.click();
    };
  }
}

function goTo({ textarea, value }: PrismEditor, line: number, column: number): void {
  const before = value.split('\n').slice(0, line - 1);
  const offset = before.reduce((sum, { length }) => sum + length + 1, 0) + column - 1;
  textarea.focus();
  textarea.setSelectionRange(offset, offset);
}

/** Does something, and once more if it was asked for meanwhile: what is shown is of what was last written. */
function inTurns(run: () => Promise<void>): () => void {
  let [isRunning, isDue] = [false, false];
  const start = async () => {
    isRunning = true;
    do {
      isDue = false;
      await run();
    } while (isDue);
    isRunning = false;
  };
  return () => {
    isDue = true;
    if (!isRunning) void start();
  };
}
