// A dialogue of compare.py as a promptfoo provider: promptfoo's own OpenAI provider answers each turn.
import { loadApiProvider } from 'promptfoo';

export default class ScriptedDialogue {
  constructor(options) {
    this.options = options;
  }

  id() {
    return 'scripted-dialogue';
  }

  async callApi(prompt) {
    this.model ??= await loadApiProvider('openai:chat:sim-large', { options: { config: this.options.config } });
    const messages = [];
    let answer;
    for (const turn of JSON.parse(prompt)) {
      messages.push(...turn);
      answer = await this.model.callApi(JSON.stringify(messages));
      if (answer.error) {
        return answer;
      }
      messages.push({ role: 'assistant', content: answer.output });
    }
    return { output: answer.output };
  }
}
