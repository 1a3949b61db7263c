/**
 * Light or dark, as the system has it or as the reader chose. It runs before the page is drawn, so that nothing flashes; without
 * scripts the system decides.
 */

const key = 'holdback-theme';
const choices = ['system', 'light', 'dark'] as const;
type Choice = (typeof choices)[number];

function chosen(): Choice {
  try {
    const kept = localStorage.getItem(key);
    return choices.find((choice) => choice === kept) ?? 'system';
  } catch {
    // Where nothing may be kept, the system decides.
    return 'system';
  }
}

function apply(choice: Choice): void {
  const { dataset } = document.documentElement;
  if (choice === 'system') delete dataset.theme;
  else dataset.theme = choice;
}

apply(chosen());

document.addEventListener('DOMContentLoaded', () => {
  const button = document.querySelector<HTMLButtonElement>('[data-theme-toggle]');
  if (button === null) return;
  button.hidden = false;
  const label = (choice: Choice) => {
    button.textContent = { system: '\u25d0', light: '\u25cb', dark: '\u25cf' }[choice];
    button.ariaLabel = `Theme: ${choice}`;
    button.title = button.ariaLabel;
  };
  label(chosen());
  button.addEventListener('click', () => {
    const next = choices[(choices.indexOf(chosen()) + 1) % choices.length] ?? 'system';
    try {
      localStorage.setItem(key, next);
    } catch {
      // It holds for this page alone then.
    }
    apply(next);
    label(next);
  });
});
