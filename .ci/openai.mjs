// Talks to a running `gopherlens serve` as programs that were written for OpenAI's service do: node openai.mjs BASE-URL, with the openai package installed.
import assert from 'node:assert/strict';
import OpenAI, { NotFoundError, UnprocessableEntityError } from 'openai';

const baseURL = process.argv[2];
const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: 'none', maxRetries: 0 });

const models = await client.models.list();
assert.deepEqual(models.data.map((m) => m.id), ['teach']);

const messages = [{ role: 'user', content: 'What is the capital of France?' }];
const first = await client.chat.completions.create({ model: 'teach', messages, temperature: 0, logprobs: true, top_logprobs: 3 });
const answer = first.choices[0].message;
assert.match(answer.content, /Paris/);
assert.equal(first.choices[0].finish_reason, 'stop');
const logprobs = first.choices[0].logprobs.content;
assert.equal(logprobs.length, first.usage.completion_tokens);
for (const t of logprobs) {
  assert.ok(t.logprob <= 0 && t.top_logprobs.length === 3 && t.top_logprobs[0].logprob >= t.logprob);
  assert.equal(Buffer.from(t.bytes).toString(), t.token);
}

messages.push(answer, { role: 'user', content: 'And its currency?' });
let text = '', seen = 0, finish, usage;
const stream = await client.chat.completions.create({ model: 'teach', messages, temperature: 0, stream: true, logprobs: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  assert.equal(chunk.conversation_id, first.conversation_id); // the second question goes on where the first was answered
  const choice = chunk.choices[0];
  text += choice?.delta.content ?? '';
  seen += choice?.logprobs?.content.length ?? 0;
  finish = choice?.finish_reason ?? finish;
  usage = chunk.usage ?? usage;
}
assert.match(text, /euro/);
assert.equal(finish, 'stop');
assert.equal(seen, usage.completion_tokens);

const click = await (await fetch(`${baseURL}/api/activations/${first.conversation_id}/-1`)).json();
assert.ok(click.layer_predictions.length > 1);

// The helper that collects a stream's events and answers.
const collected = client.chat.completions.stream({ model: 'teach', messages, temperature: 0, stop: ['euro'] });
assert.ok(!(await collected.finalContent()).includes('euro'));

await assert.rejects(client.chat.completions.create({ model: 'gpt-5', messages }), NotFoundError);
await assert.rejects(client.chat.completions.create({ model: 'teach', messages, n: 2 }), UnprocessableEntityError);

// A client that goes away leaves the server free.
const gone = await client.chat.completions.create({ model: 'teach', messages: [{ role: 'user', content: 'Hello' }], temperature: 2, stream: true });
for await (const _ of gone) break;
for (let i = 0; ; i++) {
  const status = await (await fetch(`${baseURL}/api/cache/status`)).json();
  if (status.runs.running === 0) break;
  assert.ok(i < 100, 'the run goes on');
  await new Promise((done) => setTimeout(done, 50));
}
console.log('the openai package talks to', baseURL);
