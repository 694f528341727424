// A plugin in JavaScript: greets, waits, and fails on request.
import { emit } from 'sandglass:plugin/logging@0.1.0';
import { report } from 'sandglass:plugin/progress@0.1.0';
import { get, cancelRequested } from 'sandglass:plugin/run-context@0.1.0';

const greet = {
  name: 'greet',
  title: 'Greet someone',
  description: 'Logs a greeting and answers it.',
  paramsSchema: JSON.stringify({
    type: 'object',
    properties: { name: { type: 'string' }, fail: { type: 'boolean', default: false } },
    required: ['name'],
    additionalProperties: false,
  }),
  outputSchema: JSON.stringify({
    type: 'object',
    properties: { greeting: { type: 'string' }, job: { type: 'string' } },
    required: ['greeting', 'job'],
  }),
  examples: [JSON.stringify({ name: 'world' })],
  idempotent: true,
};

export const action = {
  describe() {
    return [greet];
  },

  // What is thrown is the error case of the result.
  validate(_action, params) {
    if (JSON.parse(params).name === '') {
      throw [{ pointer: '/name', message: 'nobody is called that' }];
    }
  },

  run(request) {
    const { name, fail } = JSON.parse(request.params);
    const job = get().jobName;
    emit('info', `greeting ${name}`, [['language', JSON.stringify('javascript')]]);
    report({ completed: 1n, total: 1n, unit: 'greetings', message: undefined });
    if (fail || cancelRequested() !== undefined) {
      throw {
        code: 'asked-to',
        message: 'the job asked for a failure',
        retry: { tag: 'never' },
        detail: JSON.stringify({ name }),
      };
    }
    const output = JSON.stringify({ greeting: `hello, ${name}`, job });
    return { summary: `greeted ${name}`, output, changed: false, warnings: [] };
  },
};
