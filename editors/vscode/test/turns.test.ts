import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns, type Backend, type Conversation, type Event } from "../src/chat/turns";

/** A server that keeps one conversation, and answers when told to. */
class Fake implements Backend {
  asked: Record<string, unknown>[] = [];
  kept: Conversation = { id: "c1", title: "Why?", messages: [] };
  say: (text: string) => void = () => undefined;
  end: (reason?: string) => void = () => undefined;
  fail: (message: string) => void = () => undefined;

  chat(argument: object, onText: (text: string) => void, signal: AbortSignal) {
    this.asked.push(argument as Record<string, unknown>);
    this.say = onText;
    return new Promise<never>((resolve, reject) => {
      this.end = (finishReason = "stop") => resolve({ conversationId: "c1", messageId: "m2", finishReason, dropped: 0 } as never);
      this.fail = (message) => reject(new Error(message));
      signal.addEventListener("abort", () => this.end("stopped"));
    });
  }

  conversation() {
    return Promise.resolve(this.kept);
  }

  newest() {
    return Promise.resolve(this.kept);
  }
}

async function begun(turns: Turns, message: string, conversationId?: string) {
  const first = await turns.begin({ action: "ask", message, conversationId }, []);
  const events: Event[] = [];
  const over = turns.follow(String(first.turnId), 0, (event) => events.push(event));
  return { first, events, over, id: String(first.conversationId) };
}

void test("a new conversation is the server's once it is answered", async () => {
  const fake = new Fake();
  const turns = new Turns(fake);
  const { events, over, id } = await begun(turns, "Why?");
  assert.deepEqual((await turns.conversation(id)).messages, []);
  fake.say("Because ");
  fake.say("so.");
  fake.end();
  await over;
  assert.deepEqual(events.map(({ type, text }) => text ?? type), ["Because ", "so.", "end"]);
  assert.equal((await turns.conversation(id)).id, "c1");
  assert.equal(turns.kept(id), "c1");
  await begun(turns, "And?", id);
  assert.equal(fake.asked[1]?.conversationId, "c1");
});

void test("who comes later hears what is behind its characters", async () => {
  const fake = new Fake();
  const turns = new Turns(fake);
  const { first } = await begun(turns, "Why?");
  fake.say("😀ab");
  const events: Event[] = [];
  const over = turns.follow(String(first.turnId), 2, (event) => events.push(event));
  fake.end();
  await over;
  assert.deepEqual(events.map(({ text }) => text), ["b", undefined]);
});

void test("a question that got no answer is shown, and asked again with its files", async () => {
  const fake = new Fake();
  const turns = new Turns(fake);
  const attachments = [{ uri: "file:///a/b.py" }];
  const first = await turns.begin({ action: "ask", message: "Why?" }, attachments);
  const id = String(first.conversationId);
  const events: Event[] = [];
  const over = turns.follow(String(first.turnId), 0, (event) => events.push(event));
  fake.fail("the engine has gone");
  await over;
  assert.equal(events.at(-1)?.error, "the engine has gone");
  const [question] = (await turns.conversation(id)).messages;
  assert.ok(question);
  assert.equal(question.content, "Why?");
  assert.deepEqual(question.attachments, [{ path: "b.py" }]);
  await turns.begin({ action: "regenerate", conversationId: id, lastMessageId: "" }, []);
  assert.deepEqual(fake.asked[1], { message: "Why?", attachments, conversationId: undefined });
  assert.deepEqual((await turns.conversation(id)).messages, []);
});

void test("an answer that is stopped is no failure", async () => {
  const turns = new Turns(new Fake());
  const { first, events, over } = await begun(turns, "Why?");
  turns.stop(String(first.turnId));
  await over;
  assert.deepEqual([events.at(-1)?.finishReason, events.at(-1)?.error], ["stopped", undefined]);
});

void test("edit, regenerate and continue name the last question, its answer and the last message", async () => {
  const fake = new Fake();
  fake.kept.messages = [
    { id: "q1", role: "user", content: "Why?" },
    { id: "a1", role: "assistant", content: "Because", finishReason: "length" },
  ];
  const turns = new Turns(fake);
  const asked = { conversationId: "c1", lastMessageId: "a1" };
  const first = await turns.begin({ action: "continue", ...asked }, []);
  assert.deepEqual([first.since, first.begun], ["q1", "Because"]);
  assert.deepEqual(fake.asked[0], { continue: true, ...asked });
  await assert.rejects(turns.begin({ action: "regenerate", ...asked }, []), /under way/);
  const over = turns.follow(String(first.turnId), 0, () => undefined);
  fake.end();
  await over;
  await turns.begin({ action: "edit", message: "How?", ...asked }, []);
  assert.deepEqual(fake.asked[1], { editLast: true, message: "How?", ...asked });
});

void test("half an answer is found again after a failure, though the conversation was new", async () => {
  const fake = new Fake();
  const turns = new Turns(fake);
  const { over, id } = await begun(turns, "Why? Say it.");
  fake.say("Because");
  fake.fail("the engine has gone");
  await over;
  assert.equal(turns.kept(id), "c1");
});
