// Makes .oxlintrc.json from tools/rooms.mjs: one override per room, since an override replaces the base entry.
import { packageOwners, serverRooms } from './rooms.mjs';

const names = Object.keys(serverRooms);

/** no-restricted-imports of one room. */
function restriction(room, extra = []) {
  const allowed = serverRooms[room] ?? [];
  const banned = names.filter((name) => name !== room && name !== 'lib' && !allowed.includes(name));
  const patterns = banned.map((name) => {
    const files = allowed.filter((entry) => entry.startsWith(`${name}/`));
    return {
      group: [`**/${name}/**`, ...files.map((file) => `!**/${file}`)],
      message: `${room} must not import ${name}: see the table in design section 4 and docs/architecture.md.`,
    };
  });
  for (const [name, owners] of Object.entries(packageOwners)) {
    if (!owners.some((owner) => owner.startsWith(`server/${room}`)))
      patterns.push({ group: [name], message: `${name} belongs to ${owners.join(', ')}.` });
  }
  return ['error', { patterns: [...patterns, ...extra] }];
}

/** @returns {object} the configuration that .oxlintrc.json holds */
export function lintConfig() {
  const overrides = names
    .filter((room) => room !== 'lib')
    .map((room) => ({
      files: [`server/${room}/**/*.ts`],
      rules: {
        'no-restricted-imports': restriction(room),
      },
    }));
  overrides.push({
    files: ['server/proxy/*.ts'],
    excludeFiles: ['server/proxy/forward.ts'],
    rules: {
      'no-restricted-imports': restriction('proxy', [
        { group: ['http-proxy'], message: 'http-proxy belongs to server/proxy/forward.ts.' },
      ]),
    },
  });
  overrides.push({
    files: ['server/lib/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: names.filter((name) => name !== 'lib').map((name) => `**/${name}/**`),
              message: 'lib is a leaf.',
            },
          ],
        },
      ],
    },
  });
  overrides.push({
    files: ['contract/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', '**/server/**', '**/web/**', '**/interlink/**'],
              message: 'contract may import zod only.',
            },
          ],
        },
      ],
    },
  });
  overrides.push({
    files: ['web/**/*.{ts,tsx}'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['**/server/**', '**/interlink/**', '**/agent/**'], message: 'the page knows the contract only.' },
          ],
        },
      ],
    },
  });
  overrides.push({
    files: ['web/src/**/*.{ts,tsx}'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', '**/server/**', '**/interlink/**', '**/agent/**'],
              message: 'the page knows the contract only.',
            },
          ],
        },
      ],
    },
  });
  overrides.push({
    files: ['test/bench/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['**/server/**'], message: 'bench measures from outside.' }] },
      ],
    },
  });
  overrides.push({ files: ['test/**', 'tools/**'], rules: { 'max-lines': 'off' } });
  return {
    $schema: './node_modules/oxlint/configuration_schema.json',
    plugins: ['typescript', 'import', 'unicorn', 'oxc', 'react', 'jsx-a11y', 'promise'],
    categories: { correctness: 'error', suspicious: 'off' },
    env: { node: true, es2024: true },
    ignorePatterns: ['dist', 'node_modules', '.cache', '.linkspan', 'agent'],
    rules: {
      'import/no-cycle': 'error',
      'import/no-default-export': 'off',
      'typescript/no-floating-promises': 'error',
      'typescript/no-misused-promises': 'error',
      'typescript/no-explicit-any': 'error',
      'typescript/no-unnecessary-condition': 'off',
      'typescript/consistent-type-imports': 'error',
      // A default branch is an answer: only a switch without one must name every case.
      'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // A log that scrolls must be reachable by keyboard (WCAG 2.1.1).
      'jsx-a11y/no-noninteractive-tabindex': ['error', { tags: ['pre'], roles: ['tabpanel'] }],
      'no-console': 'error',
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'max-lines': ['error', { max: 500, skipBlankLines: true }],
    },
    overrides,
  };
}
