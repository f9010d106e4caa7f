// Passkeys in the browser: between the JSON of the API and what navigator.credentials takes (WebAuthn Level 3, 5.1).
//
//   const body = await makePasskey(await post("/account/passkeys/options"))    → {id, credential}
//   const body = await usePasskey(await post("/session/passkey/options"))      → {id, credential}

export const hasPasskeys = () => typeof window.PublicKeyCredential === "function";

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const listOf = (credentials) => (credentials ?? []).map((each) => ({ ...each, id: bytesOf(each.id) }));

export async function makePasskey({ id, options }) {
  const publicKey = {
    ...options,
    challenge: bytesOf(options.challenge),
    user: { ...options.user, id: bytesOf(options.user.id) },
    excludeCredentials: listOf(options.excludeCredentials),
  };
  const made = await asked(() => navigator.credentials.create({ publicKey }));
  return { id, credential: answerOf(made, { attestationObject: textOf(made.response.attestationObject), transports: made.response.getTransports?.() ?? [] }) };
}

export async function usePasskey({ id, options }) {
  const publicKey = { ...options, challenge: bytesOf(options.challenge), allowCredentials: listOf(options.allowCredentials) };
  const used = await asked(() => navigator.credentials.get({ publicKey }));
  const { authenticatorData, signature, userHandle } = used.response;
  return { id, credential: answerOf(used, { authenticatorData: textOf(authenticatorData), signature: textOf(signature), userHandle: userHandle ? textOf(userHandle) : null }) };
}

function answerOf(credential, response) {
  return {
    id: credential.id,
    rawId: textOf(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? null,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { clientDataJSON: textOf(credential.response.clientDataJSON), ...response },
  };
}

async function asked(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name === "InvalidStateError") throw new Error("This device has a passkey for this account already.");
    if (error.name === "NotAllowedError") throw new Error("It was cancelled, took too long, or this device has no passkey for this server.");
    throw new Error(`This browser cannot do that: ${error.message}`);
  }
}
