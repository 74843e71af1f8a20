import { expect, test } from 'vitest';
import { makePolicy } from '../../../server/auth/policy.ts';

const subject = { groups: [], claims: { email: 'ada@example.org', roles: ['a', 'bc'] } };

test.each([
  ['email', '.*@example\\.org', true],
  ['email', 'example', false],
  ['email', 'ada|bela', false],
  ['email', 'ada@.*|bela', true],
  ['roles', 'b.', true],
  ['roles', 'b', false],
  ['missing', '.*', false],
])('the claim %s must match %s as a whole: %s', (claim, matches, expected) => {
  expect(makePolicy([{ claim, matches }], [], false).mayLogIn(subject)).toBe(expected);
});

test('the rules are told in words', () => {
  const rules = [{ groups: { any: ['a', 'b'] } }, { claim: 'email', matches: '.*@x' }, { claim: 'n', equals: 1 }];
  expect(makePolicy(rules, [], false).explain()).toEqual([
    'a member of a or b',
    "known with 'email' like .*@x",
    "known with 'n' = 1",
  ]);
});

test('without rules demo people get in and nobody else', () => {
  expect([true, false].map((demo) => makePolicy(undefined, [], demo).mayLogIn(subject))).toEqual([true, false]);
});
