// Keys, dragging files, and nothing else: what pages do, they do by links and forms.
'use strict';

const rows = () => [...document.querySelectorAll('tr[data-row]')];
const current = () => document.querySelector('tr.at');

function go(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  current()?.classList.remove('at');
  next.classList.add('at');
  next.scrollIntoView({ block: 'nearest' });
}

// act opens the form of an act in the drawer and waits for its opinion.
function act(name) {
  const choice = document.querySelector(`.drawer input[name=act][value=${name}]`);
  if (!choice || choice.disabled) return;
  choice.checked = true;
  choice.form.elements.note?.focus();
}

const close = () => document.querySelector('.drawer a[data-close]')?.click();

const keys = {
  j: () => go(1),
  k: () => go(-1),
  Enter: () => current()?.querySelector('a[data-open], summary')?.click(),
  x: () => { const box = current()?.querySelector('input[type=checkbox]'); if (box) box.click(); },
  a: () => act('confirm'),
  t: () => act('hand_over'),
  '/': () => document.querySelector('input[type=search]')?.focus(),
  '?': () => document.getElementById('help').showModal(),
  Escape: close,
};

document.addEventListener('keydown', (e) => {
  const writing = e.target.matches('input:not([type=checkbox], [type=radio]), textarea, select');
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]')) return;
  if (writing) {
    if (e.key === 'Escape') e.target.blur();
    return;
  }
  if (e.key === 'Enter' && e.target.closest('a, button, summary')) return;
  const key = keys[e.key];
  if (!key) return;
  e.preventDefault();
  key();
});

document.addEventListener('click', (e) => {
  if (e.target.closest('[data-help]')) document.getElementById('help').showModal();
  if (e.target.closest('[data-print]')) window.print();
  if (e.target.closest('a[data-close]')) {
    e.preventDefault();
    document.getElementById('drawer').replaceChildren();
  }
  const open = e.target.closest('a[data-open]');
  if (open) {
    current()?.classList.remove('at');
    open.closest('tr').classList.add('at');
  }
});

document.addEventListener('change', (e) => {
  if (!e.target.matches('input[data-all]')) return;
  for (const box of document.querySelectorAll(`input[name=${e.target.dataset.all}]`)) box.checked = e.target.checked;
});

// What was refused is said until the next try.
document.addEventListener('htmx:before:request', () => document.getElementById('complaint')?.replaceChildren());

// A file that is dropped on the field of a form is the file of that form.
for (const kind of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(kind, (e) => {
    const field = e.target.closest?.('.drop');
    if (!field) return;
    e.preventDefault();
    field.classList.toggle('over', kind === 'dragover');
    if (kind === 'drop' && e.dataTransfer.files.length) field.querySelector('input[type=file]').files = e.dataTransfer.files;
  });
}
