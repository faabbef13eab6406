// The page's own part beside Swagger UI: the log-in, whose token it keeps in memory only, and keys for requests.
const SCHEME = "bearer";
const KEY_HEADER = "Idempotency-Key";
/** So long before a token ends it is exchanged for a new one, in seconds. */
const REFRESH_MARGIN = 30;

const form = document.querySelector("#log-in");
const state = document.querySelector("#log-in-state");
const logOut = document.querySelector("#log-out");
let exampleKey;
let refreshTimer;

const ui = SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.querySelector("#operations"),
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    // The document's example names one request; each that is tried is another, unless a key was written in.
    if (request.headers[KEY_HEADER] === exampleKey && exampleKey !== undefined)
      request.headers[KEY_HEADER] = crypto.randomUUID();
    return request;
  },
  onComplete() {
    const spec = ui.specSelectors.specJson().toJS();
    exampleKey = spec.components.parameters.IdempotencyKey?.example;
    document.body.dataset.ready = "yes";
  },
});

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { data, error } = await answer.json();
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`);
  return data;
}

function take(session, who) {
  ui.preauthorizeApiKey(SCHEME, session.accessToken);
  state.value = `Logged in as ${who}.`;
  logOut.hidden = false;
  const refresh = async () => {
    try {
      take(await post("/v1/sessions:refresh", { refreshToken: session.refreshToken }), who);
    } catch (error) {
      forget(error.message);
    }
  };
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, Math.max(1, session.expiresIn - REFRESH_MARGIN) * 1_000);
}

function forget(why) {
  clearTimeout(refreshTimer);
  ui.authActions.logout([SCHEME]);
  logOut.hidden = true;
  state.value = why;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(form));
  try {
    take(await post("/v1/sessions", { email, password }), email);
    form.elements.password.value = "";
  } catch (error) {
    state.value = error.message;
  }
});
logOut.addEventListener("click", () => forget("Not logged in."));
