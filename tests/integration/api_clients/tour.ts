// The tour of scripts/tour, with a client whose types come from the gateway's own description.
import createClient from "openapi-fetch";
import type { paths } from "./schema";

declare const process: { argv: string[] };

const [gateway, sandbox] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: gateway });

function must<T>(what: string, answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(`${what}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

// Only a sandbox lets a client join by REST, and lets time pass.
async function inSandbox(path: string, body: unknown): Promise<void> {
  const answer = await fetch(`${sandbox}/sandbox/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`sandbox ${path}: ${answer.status}`);
}

async function tour(): Promise<string> {
  const roles = { teacher: { name: "teacher" }, pupil: { name: "pupil" } };
  const template = must("template", await api.POST("/templates", { body: { name: "class", roles } }));
  const room = must("room", await api.POST("/rooms", { body: { name: "algebra", template_id: template.id } }));
  const roomId = room.id!;
  const codes = must("codes", await api.POST("/room-codes/{roomId}", { params: { path: { roomId } } }));
  const join = { roomId, role: "teacher", userId: "ada" };
  const token = must("token", await api.POST("/token", { body: join }));
  await inSandbox(`rooms/${roomId}/peers`, { token: token.token });
  const start = await api.POST("/recordings/room/{roomId}/start", { params: { path: { roomId } }, body: {} });
  const path = { recordingId: must("recording", start).id! };
  await inSandbox("clock", { advance_ms: 5000 });
  must("stop", await api.POST("/recordings/{recordingId}/stop", { params: { path } }));
  await inSandbox("clock", { advance_ms: 5000 });
  const recording = must("recording", await api.GET("/recordings/{recordingId}", { params: { path } }));
  const missing = await api.GET("/rooms/{roomId}", { params: { path: { roomId: "66f1c0a2b4d93e5a7c118e01" } } });
  if (missing.error?.code !== 404) throw new Error(`an error has no code: ${JSON.stringify(missing.error)}`);
  return `${room.name}, ${codes.data?.length} codes, recording ${recording.status}`;
}

tour().then(
  (told) => console.log(told),
  (problem) => {
    console.error(problem);
    throw problem;
  },
);
