// The browser of histories. Everything it shows is set as text, never as markup: models write what they like.
const { groups, walks } = JSON.parse(document.getElementById('histories').textContent);
const form = document.getElementById('filters');
const cards = document.getElementById('cards');
const count = document.getElementById('count');
const cardsAtOnce = 12;

const outcomes = {
  'some right, some wrong': (qualities) => new Set(qualities).size > 1,
  'all right': (qualities) => qualities.length > 0 && qualities.every((quality) => quality === 1),
  'all wrong': (qualities) => qualities.length > 0 && qualities.every((quality) => quality === 0),
  'not graded': (qualities) => qualities.includes(null),
};
const filters = {
  generation: {
    choices: unique(groups.map(({ generation }) => generation)),
    of: (group) => group.generation,
  },
  step: { choices: unique(groups.map(({ step }) => step)), of: (group) => group.step },
  family: { choices: unique([...groups, ...walks].map(({ family }) => family)), of: (group) => group.family },
  outcome: { choices: Object.keys(outcomes) },
};
let shown = [];

function unique(values) {
  return [...new Set(values)].sort((a, b) => (typeof a === 'number' ? a - b : a < b ? -1 : 1));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function facts(...parts) {
  return element(
    'div',
    { className: 'facts' },
    ...parts.filter((part) => part !== null).map((part) => element('span', {}, ...[part].flat())),
  );
}

const bold = (text) => element('b', { textContent: text });

function text(value) {
  return element('p', { className: 'text', textContent: value });
}

function message(label, value, className = '') {
  return element(
    'div',
    { className: `message ${className}` },
    element('span', { textContent: label }),
    text(value),
  );
}

function verdictClass(quality) {
  return quality === null ? '' : quality >= 0.5 ? 'right' : 'wrong';
}

function groupCard(group) {
  const { path, rollouts, step, depth } = group;
  const labels = { task: 'task', answer: `answer at depth ${depth - 1}, to ${step}`, feedback: 'feedback' };
  const rewards = rollouts.map(({ reward }) => reward);
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / Math.max(1, rewards.length);
  return element(
    'article',
    { className: 'card' },
    facts(
      bold(`generation ${group.generation}`),
      bold(step),
      `depth ${depth}`,
      group.family,
      `gold answer ${group.gold}`,
      `mean reward ${mean.toFixed(3)}`,
      `learnability ${group.learnability.toFixed(3)}`,
      group.dropped === null ? null : `not trained on: ${group.dropped}`,
      group.parent === null ? null : ['grew from ', parentLink(group.parent)],
    ),
    ...path.map(({ role, text: said }) => message(labels[role], said, role === 'answer' ? 'previous' : '')),
    element(
      'div',
      { className: 'message' },
      element('span', {
        textContent: `${rollouts.length} ${path.some(({ role }) => role === 'answer') ? 'new answers' : 'answers'}`,
      }),
      element('div', { className: 'rollouts' }, ...rollouts.map(rolloutBox)),
    ),
    element(
      'details',
      {},
      element('summary', { textContent: 'prompt and identity' }),
      facts(`policy ${group.policy}`),
      text(group.prompt),
    ),
  );
}

function parentLink(rolloutId) {
  const found = groups.some(({ rollouts }) => rollouts.some(({ id }) => id === rolloutId));
  return found ? element('a', { href: `#rollout=${rolloutId}`, textContent: rolloutId }) : rolloutId;
}

function rolloutBox(rollout) {
  const { quality, reward, advantage, verdict, answer, finish, seed, tokens, error } = rollout;
  return element(
    'div',
    { className: `rollout ${verdictClass(quality)}` },
    facts(
      bold(`reward ${Number(reward.toFixed(3))}`),
      `advantage ${advantage > 0 ? '+' : ''}${advantage}`,
      answer === null ? verdict : `${verdict}: ${answer}`,
    ),
    text(rollout.text),
    error === null ? null : element('p', { className: 'bad', textContent: error }),
    element('div', {
      className: 'tail',
      textContent: `${rollout.id} · ${tokens} tokens · ended by ${finish} · seed ${seed}`,
    }),
  );
}

function walkCard(walk) {
  const rows = walk.policies.map(({ generation, answers }) =>
    element(
      'div',
      { className: 'message walk' },
      element('span', {
        textContent: generation === 0 ? 'before training' : `after generation ${generation}`,
      }),
      element(
        'div',
        { className: 'steps' },
        ...answers.map((answer, k) =>
          element(
            'div',
            { className: `rollout ${verdictClass(answer.quality)}` },
            facts(bold(`k = ${k}`), answer.verdict),
            text(answer.text),
          ),
        ),
      ),
    ),
  );
  return element(
    'article',
    { className: 'card' },
    facts(bold('held-out'), walk.family, `gold answer ${walk.gold}`),
    message('task', walk.task),
    ...rows,
  );
}

function matches(group, chosen) {
  const qualities = group.rollouts.map(({ quality }) => quality);
  return (
    Object.entries(filters).every(
      ([name, { of }]) => !of || !chosen[name] || String(of(group)) === chosen[name],
    ) &&
    (!chosen.outcome || outcomes[chosen.outcome](qualities)) &&
    contains(group, chosen.words) &&
    (!chosen.rollout || group.rollouts.some(({ id }) => id === chosen.rollout))
  );
}

function contains(record, words) {
  return !words || JSON.stringify(record).toLowerCase().includes(words.toLowerCase());
}

function state() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** The page of a large run holds a sample: instead of a generation that it lacks comes the nearest that it has. */
function nearest(generation) {
  const distance = (other) => Math.abs(other - generation);
  return filters.generation.choices.reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

function show() {
  const chosen = state();
  const asked = chosen.generation;
  if (asked && groups.length > 0) chosen.generation = String(nearest(Number(asked)));
  for (const field of form.querySelectorAll('[name]')) field.value = chosen[field.getAttribute('name')] ?? '';
  const heldOut = chosen.from === 'heldOut' || groups.length === 0;
  shown = heldOut
    ? walks
        .filter((walk) => (!chosen.family || walk.family === chosen.family) && contains(walk, chosen.words))
        .map((walk) => () => walkCard(walk))
    : groups.filter((group) => matches(group, chosen)).map((group) => () => groupCard(group));
  const unit = heldOut ? 'held-out problem' : 'group';
  count.textContent =
    `${shown.length} ${unit}${shown.length === 1 ? '' : 's'}` +
    (asked === chosen.generation
      ? ''
      : ` of generation ${chosen.generation}: generation ${asked} is not in this page’s sample`);
  cards.replaceChildren();
  more();
}

function more() {
  document.getElementById('more')?.remove();
  const start = cards.children.length;
  cards.append(...shown.slice(start, start + cardsAtOnce).map((card) => card()));
  const left = shown.length - cards.children.length;
  if (left > 0)
    cards.after(
      element('button', {
        id: 'more',
        type: 'button',
        textContent: `Show more (${left} left)`,
        onclick: more,
      }),
    );
}

function select(name, choices, everything) {
  return element(
    'label',
    {},
    name,
    element(
      'select',
      { name },
      everything === null ? null : element('option', { value: '', textContent: everything }),
      ...choices.map(([value, label]) => element('option', { value, textContent: label })),
    ),
  );
}

if (groups.length + walks.length > 0) {
  const sources = [groups.length > 0 && ['', 'training'], walks.length > 0 && ['heldOut', 'held-out']].filter(
    Boolean,
  );
  form.append(
    select('from', sources, null),
    ...Object.entries(filters).map(([name, { choices }]) =>
      select(
        name,
        choices.map((choice) => [String(choice), String(choice)]),
        'all',
      ),
    ),
    element(
      'label',
      {},
      'words',
      element('input', { name: 'words', type: 'search', placeholder: 'in any text' }),
    ),
  );
  form.hidden = false;
  form.addEventListener('input', () => {
    const chosen = [...new FormData(form)].filter(([, value]) => value !== '');
    history.replaceState(null, '', `#${new URLSearchParams(chosen)}`);
    show();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  const showPlace = () => {
    show();
    document.getElementById('browse').scrollIntoView();
  };
  addEventListener('hashchange', showPlace);
  // A point that was selected before changes no hash.
  addEventListener('click', ({ target }) => {
    if (target.closest('a')?.getAttribute('href') === location.hash) showPlace();
  });
  show();
} else {
  count.textContent = 'There are no histories yet.';
}
