/** Asks a board of people for a decision. */

import { approvalProvider, decided, decode, expired, pending, Request, Unable } from "sluice-sdk";

export default approvalProvider({
  settings: {
    board: { type: "string", description: "Name of the board." },
  },

  ask(client, on) {
    const { workload, subjectDigest } = client.release;
    // The key is the same for every repetition: the board opens one request, not two.
    const question = request("POST", "/requests")
      .header("idempotency-key", client.idempotencyKey)
      .json({
        board: on.board,
        environment: client.attribute("environment") ?? null,
        service: workload.name,
        subject: subjectDigest,
      });
    return pending(entry(client.ask(question).json()).id);
  },

  poll(client, on, ticket) {
    return standing(entry(client.ask(request("GET", `/requests/${ticket}`)).json()), ticket);
  },

  withdraw(client, on, ticket) {
    const answer = client.send(request("DELETE", `/requests/${ticket}`));
    // Gone already is as good.
    if (answer.status !== 404) answer.accepted();
  },

  onCallback(client, on, ticket, headers, body) {
    let document;
    try {
      document = JSON.parse(decode(body));
    } catch {
      return null;
    }
    return document?.id === ticket ? standing(entry(document), ticket) : null;
  },
});

function request(method, path) {
  return new Request(method, path).on("board").bearer("board-token");
}

/** A request, as the board writes it. */
function entry(document) {
  const whole = { id: "", state: "open", by: "", reason: "", subject: "", ...document };
  const wrong = Object.keys(whole).find((key) => typeof whole[key] !== "string");
  if (wrong === undefined) return whole;
  throw Unable.unavailable(`the board's \`${wrong}\` is no text`);
}

/**
 * What the board says, in the words of the contract. The host drops a decision about another
 * subject than the open request's.
 */
function standing({ state, by, reason, subject }, ticket) {
  const decision = { approver: by, reason, subjectDigest: subject };
  if (state === "approved") return decided({ approved: true, ...decision });
  if (state === "rejected") return decided({ approved: false, ...decision });
  return state === "expired" ? expired() : pending(ticket);
}
