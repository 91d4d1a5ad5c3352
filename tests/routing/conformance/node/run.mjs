// Plays scenarios with the JavaScript SDKs; prints one JSON line for each.
//
// Arguments: the service's address, the scenarios as a JSON list of {client, ask}.
// Environment: SHADOWEVAL_KEY, the API key.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const [base, list] = process.argv.slice(2);
const apiKey = process.env.SHADOWEVAL_KEY;
const options = { apiKey, maxRetries: 0, timeout: 20_000 };
const claude = new Anthropic({ ...options, baseURL: base });
const gpt = new OpenAI({ ...options, baseURL: `${base}/v1` });

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const question = { role: 'user', content: 'Why is the sky blue? Größe ✓' };
const toClaude = { model: 'auto', max_tokens: 50, messages: [question] };
const toGpt = { model: 'auto', messages: [question] };
const claudeTools = { tools: [{ name: 'weather', input_schema: schema }] };
const gptTools = {
  tools: [{ type: 'function', function: { name: 'weather', parameters: schema } }],
};

const asks = {
  anthropic: {
    async text() {
      const got = await claude.messages.create(toClaude);
      return { text: got.content[0].text, stop: got.stop_reason, usage: claudeUsage(got.usage) };
    },
    async stream() {
      const stream = await claude.messages.create({ ...toClaude, stream: true });
      let text = '';
      const kinds = [];
      for await (const event of stream) {
        kinds.push(event.type);
        if (event.delta?.type === 'text_delta') text += event.delta.text;
      }
      return { text, first: kinds[0], last: kinds.at(-1) };
    },
    async final() {
      const got = await claude.messages.stream(toClaude).finalMessage();
      return { text: got.content[0].text, stop: got.stop_reason, usage: claudeUsage(got.usage) };
    },
    async tools() {
      const first = await claude.messages.create({ ...toClaude, ...claudeTools });
      const call = first.content.find((block) => block.type === 'tool_use');
      const result = { type: 'tool_result', tool_use_id: call.id, content: '18 °C' };
      const messages = [
        question,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [result] },
      ];
      const second = await claude.messages
        .stream({ ...toClaude, ...claudeTools, messages })
        .finalMessage();
      return { name: call.name, input: call.input, text: second.content[0].text };
    },
    async models() {
      const ids = [];
      for await (const model of claude.models.list()) ids.push(model.id);
      return { ids };
    },
  },
  openai: {
    async text() {
      const got = await gpt.chat.completions.create(toGpt);
      const [choice] = got.choices;
      return {
        text: choice.message.content,
        stop: choice.finish_reason,
        usage: gptUsage(got.usage),
      };
    },
    async stream() {
      const stream = await gpt.chat.completions.create({ ...toGpt, stream: true });
      let text = '';
      let last = null;
      let counted = 0;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        last = chunk.choices[0]?.finish_reason ?? last;
        counted += chunk.usage ? 1 : 0;
      }
      return { text, last, counted };
    },
    async final() {
      const stream = gpt.chat.completions.stream({
        ...toGpt,
        stream_options: { include_usage: true },
      });
      const got = await stream.finalChatCompletion();
      const [choice] = got.choices;
      return {
        text: choice.message.content,
        stop: choice.finish_reason,
        usage: gptUsage(await stream.totalUsage()),
      };
    },
    async tools() {
      const first = await gpt.chat.completions.create({ ...toGpt, ...gptTools });
      const [call] = first.choices[0].message.tool_calls;
      const messages = [
        question,
        first.choices[0].message,
        { role: 'tool', tool_call_id: call.id, content: '18 °C' },
      ];
      const second = await gpt.chat.completions
        .stream({ ...toGpt, ...gptTools, messages })
        .finalChatCompletion();
      return {
        name: call.function.name,
        input: JSON.parse(call.function.arguments),
        text: second.choices[0].message.content,
      };
    },
    async models() {
      const ids = [];
      for await (const model of gpt.models.list()) ids.push(model.id);
      return { ids };
    },
  },
};

function claudeUsage(usage) {
  return [usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens];
}

function gptUsage(usage) {
  return [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens];
}

function thrown(client, error) {
  const sdk = client === 'anthropic' ? Anthropic : OpenAI;
  return {
    thrown: error.constructor.name,
    own: error instanceof sdk.APIError,
    lost: error instanceof sdk.APIConnectionError,
    status: error.status ?? null,
    retryAfter: error.headers?.get('retry-after') ?? null,
    message: String(error.message),
  };
}

for (const { client, ask } of JSON.parse(list)) {
  let line;
  try {
    line = await asks[client][ask]();
  } catch (error) {
    line = thrown(client, error);
  }
  console.log(JSON.stringify({ client, ask, ...line }));
}
