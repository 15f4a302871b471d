/* Rapport's chat widget: <script src="https://shop.example/widget.js" defer></script>
 * How to embed and theme it: web/README.md. Nothing is requested or stored before it is opened; what messages say
 * is only ever set as text. */
(() => {
  "use strict";
  if (customElements.get("rapport-chat")) return;
  const script = document.currentScript ?? document.querySelector('script[src*="widget.js"]');
  const HOME = new URL(".", script?.src || location.href);
  const API = new URL("api/chat/", HOME);
  const MAX_TEXT = 4000;
  const TRIES = 5;
  const SILENCE = 40_000; // ms; keep-alives come every 15 s
  const HIDDEN_GRACE = 30_000; // ms; a browser allows one host only six connections

  // Labels

  const LABELS = {
    en: {
      title: "Chat with us", open: "Open chat", close: "Close chat", unread: "New messages",
      bot: "Digital assistant", staff: "Customer service", customer: "You", log: "Conversation",
      greeting: "Hello! How can I help? Ask me about orders, points, discounts or delivery.",
      starters: ["Where is my order?", "How many points do I have?", "I want to talk to a person"],
      message: "Write a message", send: "Send", sending: "Sending…", failed: "Not sent.", retry: "Try again",
      tooLong: "{} of 4,000 characters. Please shorten your message.",
      offline: "You are offline. Messages will be sent later.", down: "Connection lost. Trying again…",
      limited: "Please wait. Your message is sent in {} s.", ended: "This is a new conversation.",
      waiting: "Waiting for a person to join", human: "You are talking with a person",
      orders: "Your orders", discount: "{}% off", expires: "Valid until {}", copy: "Copy code", copied: "Copied", view: "View product",
      placed: "Placed", paid: "Paid", shipped: "On its way", delivered: "Delivered", cancelled: "Cancelled", refunded: "Refunded",
    },
    es: {
      title: "Habla con nosotros", open: "Abrir el chat", close: "Cerrar el chat", unread: "Mensajes nuevos",
      bot: "Asistente digital", staff: "Atención al cliente", customer: "Tú", log: "Conversación",
      greeting: "¡Hola! ¿En qué puedo ayudarte? Pregúntame por pedidos, puntos, descuentos o envíos.",
      starters: ["¿Dónde está mi pedido?", "¿Cuántos puntos tengo?", "Quiero hablar con una persona"],
      message: "Escribe un mensaje", send: "Enviar", sending: "Enviando…", failed: "No enviado.", retry: "Reintentar",
      tooLong: "{} de 4.000 caracteres. Acorta el mensaje, por favor.",
      offline: "Sin conexión. Los mensajes se enviarán más tarde.", down: "Conexión perdida. Reintentando…",
      limited: "Espera un poco. Tu mensaje se enviará en {} s.", ended: "Esta es una conversación nueva.",
      waiting: "Esperando a una persona", human: "Estás hablando con una persona",
      orders: "Tus pedidos", discount: "{} % de descuento", expires: "Válido hasta el {}", copy: "Copiar código", copied: "Copiado", view: "Ver producto",
      placed: "Recibido", paid: "Pagado", shipped: "En camino", delivered: "Entregado", cancelled: "Cancelado", refunded: "Reembolsado",
    },
    nb: {
      title: "Chat med oss", open: "Åpne chatten", close: "Lukk chatten", unread: "Nye meldinger",
      bot: "Digital assistent", staff: "Kundeservice", customer: "Du", log: "Samtale",
      greeting: "Hei! Hva kan jeg hjelpe deg med? Spør meg om ordre, poeng, rabatter eller levering.",
      starters: ["Hvor er ordren min?", "Hvor mange poeng har jeg?", "Jeg vil snakke med en person"],
      message: "Skriv en melding", send: "Send", sending: "Sender…", failed: "Ikke sendt.", retry: "Prøv igjen",
      tooLong: "{} av 4000 tegn. Gjør meldingen kortere.",
      offline: "Du er uten nett. Meldinger sendes senere.", down: "Mistet forbindelsen. Prøver igjen…",
      limited: "Vent litt. Meldingen din sendes om {} s.", ended: "Dette er en ny samtale.",
      waiting: "Venter på at en person skal svare", human: "Du snakker med en person",
      orders: "Ordrene dine", discount: "{} % rabatt", expires: "Gyldig til {}", copy: "Kopier koden", copied: "Kopiert", view: "Se produktet",
      placed: "Mottatt", paid: "Betalt", shipped: "På vei", delivered: "Levert", cancelled: "Avbestilt", refunded: "Refundert",
    },
    ro: {
      title: "Scrie-ne", open: "Deschide chatul", close: "Închide chatul", unread: "Mesaje noi",
      bot: "Asistent digital", staff: "Serviciul clienți", customer: "Tu", log: "Conversație",
      greeting: "Bună! Cu ce te pot ajuta? Întreabă-mă despre comenzi, puncte, reduceri sau livrare.",
      starters: ["Unde este comanda mea?", "Câte puncte am?", "Vreau să vorbesc cu o persoană"],
      message: "Scrie un mesaj", send: "Trimite", sending: "Se trimite…", failed: "Netrimis.", retry: "Încearcă din nou",
      tooLong: "{} din 4.000 de caractere. Te rugăm să scurtezi mesajul.",
      offline: "Ești offline. Mesajele se trimit mai târziu.", down: "Conexiune pierdută. Se reîncearcă…",
      limited: "Așteaptă puțin. Mesajul tău se trimite în {} s.", ended: "Aceasta este o conversație nouă.",
      waiting: "Așteptăm un coleg", human: "Vorbești cu o persoană",
      orders: "Comenzile tale", discount: "Reducere {}%", expires: "Valabil până la {}", copy: "Copiază codul", copied: "Copiat", view: "Vezi produsul",
      placed: "Înregistrată", paid: "Plătită", shipped: "Pe drum", delivered: "Livrată", cancelled: "Anulată", refunded: "Rambursată",
    },
  };

  let language = "en";
  const locale = () => (language === "en" ? "en-GB" : language); // as the server writes dates
  const say = (key, value) => (LABELS[language][key] ?? key).replace("{}", value);

  /** Our language for a tag such as "nn-NO", or undefined. */
  const known = (tag) => {
    const code = String(tag ?? "").toLowerCase().split(/[-_]/)[0];
    const ours = { no: "nb", nn: "nb", mo: "ro" }[code] ?? code;
    return Object.hasOwn(LABELS, ours) ? ours : undefined;
  };

  // Small helpers

  const ICONS = {
    chat: "M7 4h10a3 3 0 0 1 3 3v6a3 3 0 0 1-3 3h-5l-5 4.5V16a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3zM9 8.5h6M9 12h4",
    close: "M6 6l12 12M18 6L6 18",
    send: "M12 19V5M5 12l7-7 7 7",
    bot: "M12 3v4M8 7h8a4 4 0 0 1 4 4v4a4 4 0 0 1-4 4H8a4 4 0 0 1-4-4v-4a4 4 0 0 1 4-4zM9 12v2M15 12v2",
    staff: "M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 4-6 8-6s8 2 8 6",
  };

  const apply = (node, name, value) => {
    if (name === "text") {
      if (node.textContent !== value) node.textContent = value;
    } else if (value != null && value !== false) node.setAttribute(name, value === true ? "" : value);
  };

  const label = (node) => node.words?.forEach(([name, text]) => apply(node, name, text()));

  /** Creates an element. A property that is a function is a label, asked again when the language changes. */
  const make = (tag, props = {}, ...children) => {
    const node = document.createElement(tag);
    node.words = [];
    for (const [name, value] of Object.entries(props)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (typeof value !== "function") apply(node, name, value);
      else node.words.push([name, value]);
    }
    label(node);
    node.append(...children.filter(Boolean));
    return node;
  };

  const icon = (name) => {
    const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
    apply(svg, "viewBox", "0 0 24 24");
    apply(svg, "aria-hidden", "true");
    apply(path, "d", ICONS[name]);
    svg.append(path);
    return svg;
  };

  /** An absolute http(s) address; null for anything else. */
  const safeUrl = (value) => {
    try {
      const url = new URL(value, HOME);
      return value && /^https?:$/.test(url.protocol) ? url.href : null;
    } catch {
      return null;
    }
  };

  /** Text with its http(s) addresses as links. */
  const linked = (text) =>
    text.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]'])/).map((part, index) =>
      index % 2 && safeUrl(part) ? make("a", { href: part, target: "_blank", rel: "noopener noreferrer", text: part }) : part);

  /** Over plain http there is no crypto.randomUUID. */
  const uuid = () =>
    crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint8Array(16)).reduce((hex, byte) => hex + byte.toString(16).padStart(2, "0"), "");

  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

  /** Milliseconds before the n-th try; jitter, so that a restarted server is not stormed. */
  const backoff = (n) => Math.min(30_000, 500 * 2 ** n) * (0.5 + Math.random() / 2);

  /** An ISO date or instant in the reader's language; anything else as it is. */
  const date = (value, style = { dateStyle: "medium" }) => {
    const instant = new Date(value);
    if (!/^\d{4}-\d\d-\d\d/.test(value) || isNaN(instant)) return value;
    return instant.toLocaleString(locale(), value.length === 10 ? { ...style, timeZone: "UTC" } : style);
  };

  /** Who is logged in, as a number: the next person at this browser must not find their chat. */
  const fingerprint = (token) => {
    if (!token) return 0;
    let person;
    try {
      person = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).email;
    } catch {
      // not a JWT: the token stands for the person
    }
    return [...String(person ?? token)].reduce((hash, c) => Math.imul(hash ^ c.codePointAt(), 16777619) >>> 0, 2166136261);
  };

  /** The saved session; in memory where the browser refuses localStorage. */
  const storage = {
    memory: null,
    read() {
      try {
        return JSON.parse(localStorage.getItem("rapport-chat"));
      } catch {
        return this.memory;
      }
    },
    write(session) {
      this.memory = session;
      try {
        if (session) localStorage.setItem("rapport-chat", JSON.stringify(session));
        else localStorage.removeItem("rapport-chat");
      } catch {
        // memory it is
      }
    },
  };

  /** Reads server-sent events; `heard` is called for keep-alives too. */
  async function* serverEvents(body, heard) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "", event = "", data = [];
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard();
        buffer += value;
        // a \r at the end may be half of \r\n
        for (let end; (end = /\r\n|\n|\r(?!$)/.exec(buffer)); ) {
          const line = buffer.slice(0, end.index);
          buffer = buffer.slice(end.index + end[0].length);
          const [, field, content] = /^([^:]*):? ?(.*)/s.exec(line);
          if (field === "event") event = content;
          else if (field === "data") data.push(content);
          else if (!line) {
            if (data.length) yield { event: event || "message", data: data.join("\n") };
            event = "";
            data = [];
          }
        }
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  // Talking to the server

  /** The conversation: session, outgoing queue, incoming stream. */
  class Connection {
    session = null;
    status = "bot";
    queue = []; // outgoing; the first is being sent
    #last = 0; // highest message id received
    #seen = new Set();
    #old = false; // history of an earlier page view is still to come
    #wakers = new Set();
    #opening = null;
    #sending = false;
    #hears = false; // the stream works
    #live = null; // AbortController of the running follow loop

    constructor(view, identityToken) {
      this.view = view;
      this.identityToken = identityToken;
      this.who = fingerprint(identityToken);
    }

    /** Takes up the saved session, unless it is another person's or was just refused. */
    restore(refused) {
      const saved = storage.read();
      const usable = saved?.token && saved.token !== refused && saved.who === this.who;
      this.session = usable ? saved : null;
      if (saved && !usable) storage.write(null);
      this.#old = Boolean(usable);
    }

    async #request(path, { body, token, headers, signal = AbortSignal.timeout(20_000) }) {
      const answer = await fetch(new URL(path, API), {
        method: body ? "POST" : "GET",
        headers: { ...(body && { "Content-Type": "application/json" }), ...(token && { Authorization: `Bearer ${token}` }), ...headers },
        body: body && JSON.stringify(body),
        signal,
        credentials: "omit",
        cache: "no-store",
      });
      if (answer.ok) return answer;
      throw Object.assign(new Error(path), { status: answer.status, wait: Number(answer.headers.get("Retry-After")) || 5 });
    }

    /** The session, made with the first message: who only looks leaves no trace. */
    async #ensureSession() {
      if (this.session) return this.session;
      this.#opening ??= this.#newSession().finally(() => (this.#opening = null));
      return this.#opening;
    }

    async #newSession() {
      let { who } = this, answer;
      try {
        answer = await this.#request("sessions", { body: { language, identity_token: this.identityToken } });
      } catch (error) {
        if (!who || !(error.status < 429)) throw error;
        who = 0; // the page's token has expired: better an unverified chat than none
        answer = await this.#request("sessions", { body: { language } });
      }
      this.session = { ...(await answer.json()), who };
      storage.write(this.session);
      this.view.setLanguage(this.session.language);
      this.follow();
      return this.session;
    }

    /** The token is refused; another tab may already have a new one. */
    #dropSession(token) {
      if (this.session?.token !== token) return;
      this.restore(token);
      this.unfollow();
      this.#last = 0;
      this.#seen.clear();
      this.#setState({ status: "bot" });
      this.view.reset();
      this.follow();
    }

    // Outgoing

    /** Queues {client_id, text, button?}; a button's text is its title. */
    send(item) {
      item.token ??= this.session?.token;
      this.queue.push(item);
      this.wake();
      if (!this.#sending) this.#deliverAll();
    }

    async #deliverAll() {
      this.#sending = true;
      for (let item; (item = this.queue[0]); this.queue.shift()) {
        const sent = await this.#deliver(item);
        this.view.delivered(item, sent);
        if (sent) this.#expectEcho(item);
      }
      this.#sending = false;
    }

    /** True once the message is stored. The same client_id makes a repeat harmless. */
    async #deliver(item) {
      let renewed = false;
      for (let failures = 0; !item.echoed; ) {
        let token;
        try {
          ({ token } = await this.#ensureSession());
          const { client_id, text, button } = item;
          const pressed = button && item.token === token; // a new conversation has no such button
          await this.#request("messages", { token, body: pressed ? { button, client_id } : { text, client_id } });
          return true;
        } catch ({ status, wait }) {
          if (status === 401 && token && !renewed) {
            renewed = true;
            this.#dropSession(token);
          } else if (status === 429 && ++failures < TRIES) {
            this.view.showTrouble({ limited: wait });
            await sleep(wait * 1000);
            this.view.showTrouble({ limited: 0 });
          } else if (status < 500 || ++failures === TRIES) {
            return false;
          } else {
            await this.#pause(backoff(failures));
            if (!navigator.onLine) failures = 0;
          }
        }
      }
      return true;
    }

    /** Asks, should the stream stay silent after a message: a proxy may hold it back. */
    async #expectEcho(item) {
      for (const delay of [2000, 4000, 8000]) {
        await sleep(delay);
        if (item.echoed && this.#hears) return;
        await this.#catchUp().catch(() => {});
      }
    }

    // Incoming

    /** Until unfollow(): what was missed, then the stream, again and again. */
    follow() {
      if (this.#live || !this.session) return;
      this.#live = new AbortController();
      this.#followUntil(this.#live.signal);
    }

    unfollow() {
      this.#live?.abort();
      this.#live = null;
      this.wake();
    }

    async #followUntil(signal) {
      let lost = 0, mute = 0; // failed tries; useless streams
      while (!signal.aborted) {
        try {
          await this.#catchUp();
          lost = 0;
          this.view.showTrouble({ down: false });
          // Without a working stream this is polling; now and then it gets another chance.
          if (mute < 3 || mute % 20 === 0) mute = (await this.#stream(signal)) ? 0 : mute + 1;
          else mute++;
          await this.#pause((mute ? 1000 * Math.min(mute, 3) : 300) + Math.random() * 500, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (error.status === 401) return this.#dropSession(this.session.token);
          this.view.showTrouble({ down: true });
          await this.#pause(error.status === 429 ? error.wait * 1000 : backoff(++lost), signal);
        }
      }
    }

    /** Fetches what came after the last message, and who is answering. */
    async #catchUp() {
      const { session } = this;
      const answer = await this.#request(`messages?after=${this.#last}`, { token: session.token });
      const { messages, more, ...state } = await answer.json();
      if (session !== this.session) return;
      this.view.batch(this.#old, () => messages.forEach((message) => this.#receive(message)));
      this.#setState(state);
      if (more && messages.length) return this.#catchUp();
      this.#old = false;
    }

    /** True if the stream was of use: brought an event, or stayed open for a while. */
    async #stream(signal) {
      const reading = new AbortController();
      const stop = () => reading.abort();
      const began = Date.now();
      let heardAt = 0, useful = false, guard = setTimeout(stop, SILENCE / 2);
      signal.addEventListener("abort", stop);
      try {
        const headers = { Accept: "text/event-stream", "Last-Event-ID": String(this.#last) };
        const answer = await this.#request("events", { token: this.session.token, headers, signal: reading.signal });
        const heard = () => {
          heardAt = Date.now();
          this.#hears = true;
          clearTimeout(guard);
          guard = setTimeout(stop, SILENCE);
        };
        for await (const { event, data } of serverEvents(answer.body, heard)) {
          const content = JSON.parse(data);
          useful = true;
          if (event === "typing") this.view.setTyping(content.on);
          else if (event === "status") this.#setState(content);
          else if (event === "message") {
            if (content.id > this.#last + 1) await this.#catchUp(); // a gap
            this.#receive(content);
          }
        }
      } catch (error) {
        if (error.status === 401) throw error;
      } finally {
        this.#hears = false;
        clearTimeout(guard);
        signal.removeEventListener("abort", stop);
      }
      return useful || heardAt - began > 5000;
    }

    #receive(message) {
      if (!Number.isInteger(message.id) || this.#seen.has(message.id)) return;
      this.#seen.add(message.id);
      this.#last = Math.max(this.#last, message.id);
      this.view.received(message);
    }

    #setState({ status = this.status, language: spoken }) {
      this.status = status;
      this.view.setStatus(status);
      if (!known(spoken) || spoken === this.session?.language) return;
      this.session.language = spoken;
      storage.write(this.session);
      this.view.setLanguage(spoken);
    }

    // Waiting

    /** Waits, but not beyond wake(). */
    #pause(ms, signal) {
      return new Promise((done) => {
        if (signal?.aborted) return done();
        this.#wakers.add(done);
        setTimeout(() => this.#wakers.delete(done) && done(), ms);
      });
    }

    wake() {
      this.#wakers.forEach((done) => done());
      this.#wakers.clear();
    }
  }

  // Looks

  const STYLE = `
    :host {
      all: initial; color-scheme: light;
      --accent: var(--rapport-accent, #14595f); --on-accent: var(--rapport-accent-text, #fff);
      --surface: var(--rapport-surface, #fff); --text: var(--rapport-text, #1b2426);
      --raised: color-mix(in srgb, var(--accent) 9%, var(--surface)); --line: color-mix(in srgb, var(--text) 18%, var(--surface));
      --muted: color-mix(in srgb, var(--text) 75%, var(--surface)); --bar: var(--accent); --on-bar: var(--on-accent);
      --danger: #a3261b; --person: #8a4b08;
    }
    @media (prefers-color-scheme: dark) {
      :host(:not([theme=light])) {
        color-scheme: dark;
        --accent: var(--rapport-accent, #7fd0cb); --on-accent: var(--rapport-accent-text, #06282b);
        --surface: var(--rapport-surface, #151c1e); --text: var(--rapport-text, #e9f0f0);
        --bar: var(--raised); --on-bar: var(--text); --danger: #ff9c8f; --person: #f3bd7f;
      }
    }
    * { box-sizing: border-box; margin: 0; padding: 0; font: inherit; color: inherit; overflow-wrap: anywhere; }
    section { font: 16px/1.45 var(--rapport-font, system-ui, sans-serif); color: var(--text); }
    [hidden] { display: none !important; }
    button { cursor: pointer; border: 0; background: none; min-width: 44px; min-height: 44px; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    svg { width: 24px; height: 24px; margin: auto; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; display: block; }
    .quiet, .customer .mark, .bot ~ .bot:not(.staff ~ .bot) .mark, .staff + .staff .mark { position: absolute; clip-path: inset(50%); }

    .launcher, dialog { position: fixed; z-index: var(--rapport-z-index, 2147483000); inset: auto var(--rapport-right, 24px) var(--rapport-bottom, 24px) auto; }
    .launcher { width: 60px; height: 60px; border-radius: 50%; background: var(--accent); color: var(--on-accent); box-shadow: 0 4px 24px #0005; }
    .badge { position: absolute; top: -3px; right: -3px; min-width: 22px; border-radius: 11px; background: #b3261e; color: #fff; font-size: 13px; line-height: 22px; }
    dialog { width: 400px; max-width: calc(100vw - 32px); height: 660px; max-height: calc(100dvh - 48px); border: 1px solid var(--line); border-radius: var(--rapport-radius, 18px);
      overflow: hidden; background: var(--surface); color: var(--text); box-shadow: 0 16px 64px #0005; }
    dialog[open] { display: flex; flex-direction: column; }
    dialog:focus { outline: none; }
    header { display: flex; align-items: center; gap: 12px; padding: 12px 8px 12px 16px; background: var(--bar); color: var(--on-bar); }
    header div { flex: 1; }
    header :focus-visible { outline-color: currentColor; outline-offset: -4px; }
    h2 { font-size: 17px; font-weight: 650; line-height: 1.3; }
    .state, small, .status, .notice, .count { font-size: 14px; line-height: 1.35; }
    .face { display: flex; width: 40px; height: 40px; border-radius: 50%; border: 2px solid; }
    .notice { padding: 9px 16px; background: var(--raised); }

    .log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 16px; display: flex; flex-direction: column; gap: 4px; }
    .log:focus-visible { outline-offset: -3px; }
    .entry { display: flex; flex-direction: column; align-items: flex-start; gap: 6px; }
    .customer { align-items: flex-end; }
    .system { align-items: center; text-align: center; }
    .mark, time, .fate, .day { font-size: 12.5px; color: var(--muted); margin: 0 4px; }
    .day { align-self: center; margin: 12px 0 6px; }
    .day::first-letter { text-transform: uppercase; }
    .mark { display: flex; align-items: center; gap: 5px; margin-top: 10px; }
    .mark svg { width: 16px; height: 16px; }
    .staff .mark { color: var(--person); font-weight: 600; }
    .bubble { max-width: 86%; padding: 9px 14px; border-radius: 16px 16px 16px 5px; background: var(--raised); white-space: pre-wrap; }
    a { color: var(--accent); }
    .customer .bubble { background: var(--accent); color: var(--on-accent); border-radius: 16px 16px 5px; }
    .staff .bubble { box-shadow: inset 3px 0 var(--person); }
    .system .bubble { background: none; color: var(--muted); font-size: 14px; }
    .bot:has(+ .bot:not(.newday)) time, .customer:has(+ :is(.customer, .bot):not(.newday)) time, .system time { display: none; }
    .customer + :not(.customer), :not(.customer) + .customer { margin-top: 8px; }
    .failed { color: var(--danger); }
    .fate button { padding: 0 8px; text-decoration: underline; }
    .sending { animation: appear .1s .7s backwards; }
    @keyframes appear { from { opacity: 0; } }
    .photo { max-width: 100%; max-height: 240px; border-radius: 12px; }

    .choices { display: flex; flex-wrap: wrap; gap: 8px; margin: 4px 0; }
    .choices button, .card button, .go { padding: 10px 16px; border: 1.5px solid var(--accent); border-radius: 23px; color: var(--accent); font-size: 15px; font-weight: 600; text-align: left; }
    .choices button:disabled { border-color: var(--line); color: var(--muted); }
    .choices .chosen { background: var(--raised); }
    .card { width: 100%; max-width: 330px; padding: 14px 16px; border: 1px solid var(--line); border-radius: 16px; }
    h3, b, .status { font-weight: 650; }
    li { display: grid; grid-template-columns: 1fr auto; gap: 0 12px; padding: 9px 0; border-top: 1px solid var(--line); }
    li:first-child { border: 0; }
    li:last-child { padding-bottom: 0; }
    small, .status { color: var(--muted); }
    .status { text-align: right; }
    .shipped, .delivered { color: var(--accent); }
    .coupon { border: 2px dashed var(--accent); text-align: center; }
    .coupon h3 { font-size: 24px; color: var(--accent); }
    code { display: block; margin: 8px 0; padding: 8px; border-radius: 10px; background: var(--raised); font: 700 18px ui-monospace, monospace; letter-spacing: .06em; user-select: all; }
    .card button { width: 100%; margin-top: 10px; text-align: center; }
    .product img { width: 100%; aspect-ratio: 4 / 3; object-fit: cover; border-radius: 10px; margin-bottom: 10px; }
    .go { display: inline-block; margin-top: 10px; text-decoration: none; }

    .typing { display: flex; gap: 5px; align-self: flex-start; margin: 8px 0; padding: 14px; border-radius: 16px; background: var(--raised); }
    i { width: 7px; height: 7px; border-radius: 50%; background: var(--muted); }
    .newest { position: absolute; bottom: 84px; align-self: center; padding: 0 18px; border-radius: 22px; background: var(--text); color: var(--surface); font-size: 14px; }
    form { display: flex; align-items: flex-end; gap: 8px; padding: 10px 10px calc(10px + env(safe-area-inset-bottom)) 12px; border-top: 1px solid var(--line); }
    textarea { flex: 1; min-width: 0; min-height: 46px; max-height: 132px; padding: 10px 14px; border: 1.5px solid var(--muted); border-radius: 23px; background: none; resize: none; }
    textarea:focus-visible { outline-width: 2px; outline-offset: -2px; }
    ::placeholder { color: var(--muted); opacity: 1; }
    [aria-invalid=true] { border-color: var(--danger); }
    .send { width: 46px; height: 46px; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
    .count { padding: 8px 16px 0; color: var(--danger); }

    @media (max-width: 480px), (max-height: 480px) {
      dialog { inset: 0; width: 100%; height: var(--seen, 100dvh); max-width: none; max-height: none; border: 0; border-radius: 0; }
      header { padding-top: calc(12px + env(safe-area-inset-top)); }
    }
    @media (prefers-reduced-motion: no-preference) {
      dialog[open], .fresh { animation: rise .2s ease-out; }
      i { animation: blink 1.2s infinite; }
      i:nth-child(2) { animation-delay: .2s; }
      i:nth-child(3) { animation-delay: .4s; }
      @keyframes rise { from { opacity: 0; transform: translateY(10px); } }
      @keyframes blink { 0%, 60%, 100% { opacity: .3; } 30% { opacity: 1; } }
    }
    .choices button:enabled:hover, .card button:hover, .go:hover { background: var(--raised); }
  `;

  const PHONE = matchMedia("(max-width: 480px), (max-height: 480px)");
  const TOUCH = matchMedia("(pointer: coarse)");

  // The element

  class RapportChat extends HTMLElement {
    static observedAttributes = ["open"];

    #ui = null; // parts by name
    #connection = null;
    #pending = new Map(); // client_id → {item, node}, not yet received
    #lastCustomer = 0; // id
    #offers = []; // {message, node} with buttons in use
    #unread = 0;
    #old = false; // receiving history
    #trouble = {};
    #typingTimer = 0;

    connectedCallback() {
      if (this.#ui) return;
      const own = { ...script?.dataset, ...this.dataset };
      language = [own.language, document.documentElement.lang, navigator.language, "en"].map(known).find(Boolean);
      this.#connection = new Connection(this, own.identityToken);
      this.#build(own.title);
      this.#listen();
      if (this.hasAttribute("open")) this.open({ focus: false });
    }

    disconnectedCallback() {
      this.#connection.unfollow();
    }

    attributeChangedCallback(name, before, now) {
      if (this.#ui) now === null ? this.close() : this.open();
    }

    // For the page

    open({ focus = true } = {}) {
      const { panel, launcher, input } = this.#ui;
      if (panel.open) return;
      if (PHONE.matches && focus) panel.showModal();
      else panel.show();
      launcher.hidden = true;
      this.setAttribute("open", "");
      this.#setUnread(0);
      if (!this.#connection.session) this.#connection.restore();
      this.setLanguage(this.#connection.session?.language);
      this.#connection.follow();
      this.#measure();
      this.#toEnd();
      // A phone's keyboard would hide the greeting.
      if (focus) (TOUCH.matches ? panel : input).focus();
      this.#emit("open");
    }

    close() {
      const { panel, launcher } = this.#ui;
      if (!panel.open) return;
      const focused = this.shadowRoot.activeElement;
      panel.close();
      launcher.hidden = false;
      this.removeAttribute("open");
      if (focused) launcher.focus();
      this.#emit("close");
    }

    // From the connection

    setLanguage(tag) {
      if ((known(tag) ?? language) === language) return;
      language = known(tag);
      this.#quietly(() => this.#translate());
      this.#emit("language", { language });
    }

    setStatus(status) {
      const { state, face } = this.#ui;
      face.replaceChildren(icon(status === "human" ? "staff" : "bot"));
      label(state);
    }

    setTyping(on) {
      const stick = this.#atEnd();
      clearTimeout(this.#typingTimer);
      this.#ui.typing.hidden = !on;
      if (on) this.#typingTimer = setTimeout(() => this.setTyping(false), 20_000);
      if (stick) this.#toEnd();
    }

    /** Tells of `down`, `ended` and `limited` (seconds). */
    showTrouble(change) {
      const trouble = Object.assign(this.#trouble, change);
      const key = navigator.onLine ? ["limited", "down", "ended"].find((name) => trouble[name]) : "offline";
      const text = key ? say(key, trouble[key]) : "";
      const { notice } = this.#ui;
      if (text === notice.textContent) return;
      notice.textContent = text;
      notice.hidden = !text;
      this.#announce(text);
    }

    batch(old, work) {
      this.#old = old;
      if (old) this.#quietly(() => (work(), this.#toEnd()));
      else work();
      this.#old = false;
    }

    received(message) {
      const { id, author, client_id } = message;
      const stick = !this.#old && this.#atEnd();
      const own = this.#pending.get(client_id);
      const entry = own ?? { node: this.#draw(message) };
      entry.message = message;
      if (own) {
        own.item.echoed = true;
        this.#pending.delete(client_id);
        this.#setFate(own, "");
        own.node.append(this.#drawTime(message.at));
      }
      this.#place(entry.node, id);
      this.#ui.starters.hidden = true;
      if (author === "customer") {
        this.#lastCustomer = Math.max(this.#lastCustomer, id);
        this.#endChoices(id, message.text);
      } else if (id > this.#lastCustomer) this.#offers.push(entry);
      if (this.#old) return;
      if (stick) this.#toEnd();
      else this.#ui.newest.hidden = false;
      if (author !== "customer") {
        this.setTyping(false);
        if (!this.#ui.panel.open) this.#setUnread(this.#unread + 1);
      }
      this.#emit("message", { id, author });
    }

    delivered(item, sent) {
      const entry = this.#pending.get(item.client_id);
      if (entry) this.#setFate(entry, sent ? "" : "failed");
      if (sent) this.showTrouble({ ended: false });
    }

    /** A new conversation; what is not sent yet goes there. */
    reset() {
      const old = [...this.#ui.log.children].filter((node) => node.sequence);
      this.showTrouble({ ended: old.length });
      old.forEach((node) => node.remove());
      this.#offers = [];
      this.#lastCustomer = 0;
      this.#ui.starters.hidden = this.#pending.size > 0;
    }

    // Building

    #build(title) {
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet(); // allowed by a strict style-src
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
      const button = (name, press) => make("button", { class: name, type: "button", "aria-label": () => say(name), onclick: press }, icon(name));
      const ui = (this.#ui = {});

      ui.badge = make("span", { class: "badge", "aria-hidden": "true", hidden: true });
      ui.launcher = make("button", { class: "launcher", type: "button", "aria-haspopup": "dialog", "aria-label": () =>
        say("open") + (this.#unread ? `. ${say("unread")}: ${this.#unread}` : ""), onclick: () => this.open() }, icon("chat"), ui.badge);
      ui.face = make("span", { class: "face" }, icon("bot"));
      ui.state = make("p", { class: "state", role: "status", text: () => say(this.#connection.status) });
      ui.notice = make("p", { class: "notice", hidden: true });
      ui.announcer = make("p", { class: "quiet", role: "status" });
      ui.starters = make("div", { class: "choices" }, ...[0, 1, 2].map((n) => this.#choice(() => LABELS[language].starters[n])));
      ui.typing = make("div", { class: "typing", "aria-hidden": "true", hidden: true }, make("i"), make("i"), make("i"));
      ui.log = make("div", { class: "log", role: "log", "aria-live": "polite", tabindex: "0", "aria-label": () => say("log"), onscroll: () => this.#atEnd() && (ui.newest.hidden = true) },
        make("div", { class: "entry bot" }, this.#mark("bot"), make("div", { class: "bubble", text: () => say("greeting") })), ui.starters, ui.typing);
      ui.newest = make("button", { class: "newest", type: "button", hidden: true, text: () => `↓ ${say("unread")}`, onclick: () => (this.#toEnd(), ui.log.focus()) });
      ui.count = make("p", { class: "count", id: "count", hidden: true });
      ui.input = make("textarea", { rows: 1, enterkeyhint: "send", autocomplete: "off", "aria-describedby": "count", "aria-label": () => say("message"),
        placeholder: () => say("message"), oninput: () => this.#measure(), onkeydown: (event) => this.#typed(event) });
      ui.panel = make("dialog", { id: "panel", role: "dialog", "aria-labelledby": "title", tabindex: "-1",
        onkeydown: (event) => event.key === "Escape" && !event.isComposing && this.close(), oncancel: () => this.close() },
        make("header", {}, ui.face, make("div", {}, make("h2", { id: "title", text: title ?? (() => say("title")) }), ui.state),
          button("close", () => this.close())),
        ui.notice, ui.announcer, ui.log, ui.newest, ui.count,
        make("form", { onsubmit: (event) => event.preventDefault() }, ui.input, button("send", () => this.#submit())));
      root.append(make("section", { lang: () => language, "aria-label": () => say("title") }, ui.launcher, ui.panel));
    }

    #listen() {
      let hidden;
      addEventListener("online", () => (this.#connection.wake(), this.showTrouble()));
      addEventListener("offline", () => this.showTrouble());
      document.addEventListener("visibilitychange", () => {
        clearTimeout(hidden);
        if (document.hidden) hidden = setTimeout(() => this.#connection.unfollow(), HIDDEN_GRACE);
        else this.#connection.follow();
      });
      // iOS lays its keyboard over the page.
      visualViewport?.addEventListener("resize", () => {
        this.#ui.panel.style.setProperty("--seen", `${visualViewport.height}px`);
        if (PHONE.matches) this.#toEnd();
      });
    }

    #translate() {
      for (const node of this.shadowRoot.querySelectorAll("*")) label(node);
      this.showTrouble();
      this.#measure();
    }

    // Drawing messages

    #mark(author) {
      return make("div", { class: "mark" }, author !== "customer" && icon(author), make("span", { text: () => say(author) }));
    }

    #draw({ id, author, text, image, card, buttons, at }) {
      const kind = ["bot", "staff", "customer"].includes(author) ? author : "system";
      const photo = safeUrl(image);
      return make("div", { class: `entry ${kind}${this.#old ? "" : " fresh"}` },
        kind !== "system" && this.#mark(kind),
        text && make("div", { class: "bubble" }, ...(kind === "customer" ? [text] : linked(text))),
        photo && make("img", { class: "photo", src: photo, alt: "", onload: () => this.#atEnd(300) && this.#toEnd(), onerror: (event) => event.target.remove() }),
        card && this.#drawCard(card),
        buttons?.length && make("div", { class: "choices" }, ...buttons.map((button) =>
          this.#choice(button.title, `${id}:${button.id}`, id < this.#lastCustomer))),
        at && this.#drawTime(at));
    }

    #drawTime(at) {
      return make("time", { datetime: at, text: () => date(at, { timeStyle: "short" }) });
    }

    #choice(text, id, disabled = false) {
      return make("button", { type: "button", text, disabled, onclick: (event) => {
        this.#say(event.target.textContent, id);
        (TOUCH.matches ? this.#ui.log : this.#ui.input).focus();
      } });
    }

    /** Null for an unknown kind: the text says the same. */
    #drawCard({ type, orders, code, percent, expires, name, price, image, url }) {
      const box = (...children) => make("div", { class: `card ${type}` }, ...children);
      if (type === "orders")
        return box(make("h3", { text: () => say("orders") }), make("ul", {}, ...orders.map(({ number, placed, total, status }) =>
          make("li", {}, make("b", { text: number }), make("b", { text: total }), make("small", { text: () => date(placed) }),
            make("span", { class: `status ${status}`, text: () => say(status) })))));
      if (type === "coupon") {
        const shown = make("code", { text: code });
        return box(percent && make("h3", { text: () => say("discount", percent) }), shown,
          expires && make("small", { text: () => say("expires", date(expires)) }),
          make("button", { type: "button", text: () => say("copy"), onclick: (event) => this.#copy(shown, event.target) }));
      }
      if (type !== "product") return null;
      const [photo, page] = [image, url].map(safeUrl);
      return box(photo && make("img", { src: photo, alt: "", onerror: (event) => event.target.remove() }), make("h3", { text: name }), price && make("p", { text: price }),
        page && make("a", { class: "go", href: page, "aria-label": () => `${say("view")}: ${name}`, text: () => say("view") }));
    }

    async #copy(shown, button) {
      try {
        await navigator.clipboard.writeText(shown.textContent);
      } catch {
        return getSelection().selectAllChildren(shown); // plain http has no clipboard
      }
      this.#announce((button.textContent = say("copied")));
      setTimeout(() => label(button), 3000);
    }

    /** Puts an entry where its id belongs, before what is not sent yet. */
    #place(node, id) {
      const { log, typing } = this.#ui;
      const before = (at) => (at.previousElementSibling === node ? node : at).previousElementSibling;
      let next = this.#pending.values().next().value?.node ?? typing;
      while (before(next).sequence > id) next = before(next);
      node.sequence = id;
      if (node.nextElementSibling !== next) log.insertBefore(node, next);
      this.#stampDay(node);
      this.#stampDay(next);
    }

    /** Writes the day above its first message, except today's above a new conversation. */
    #stampDay(node) {
      const day = (entry) => new Date(entry?.querySelector("time")?.dateTime ?? Date.now()).setHours(0, 0, 0, 0);
      const own = day(node), isNew = own !== day(node.previousElementSibling);
      const ago = Math.round((own - new Date().setHours(0, 0, 0, 0)) / 86_400_000);
      node.querySelector(".day")?.remove();
      node.classList.toggle("newday", isNew);
      if (isNew) node.prepend(make("div", { class: "day", text: () => ago < -1
        ? date(new Date(own).toISOString(), { weekday: "long", day: "numeric", month: "long" })
        : new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(ago, "day") }));
    }

    /** Marks our message as "sending" or "failed"; "" once the server has it. */
    #setFate(entry, fate) {
      entry.node.querySelector(".fate")?.remove();
      if (!fate) return;
      const retry = () => {
        this.#setFate(entry, "sending");
        this.#ui.input.focus();
        this.#connection.send(entry.item);
      };
      entry.node.append(make("div", { class: `fate ${fate}` }, make("span", { text: () => say(fate) }),
        fate === "failed" && make("button", { type: "button", text: () => say("retry"), onclick: retry })));
    }

    /** Buttons above message `id` are over; the one that was said is marked. */
    #endChoices(id, said) {
      this.#offers = this.#offers.filter(({ message, node }) => {
        if (message.id > id) return true;
        for (const button of node.querySelectorAll(".choices button")) {
          button.disabled = true;
          button.classList.toggle("chosen", button.textContent === said);
        }
      });
    }

    // Writing

    #say(text, button) {
      const item = { client_id: uuid(), text, button };
      const entry = { item, node: this.#draw({ author: "customer", text }) };
      this.#endChoices(Infinity, text);
      this.#pending.set(item.client_id, entry);
      this.#ui.starters.hidden = true;
      this.#ui.typing.before(entry.node);
      this.#setFate(entry, "sending");
      this.#toEnd();
      this.#connection.send(item);
    }

    #submit() {
      const { input } = this.#ui;
      const text = input.value.trim();
      input.focus();
      if (!text || this.#measure()) return;
      input.value = "";
      this.#measure();
      this.#say(text);
    }

    /** Fits the text area to its text; true if that is too long. */
    #measure() {
      const { input, count } = this.#ui;
      const length = [...input.value.trim()].length;
      const over = length > MAX_TEXT;
      const stick = this.#atEnd();
      count.textContent = say("tooLong", length.toLocaleString(locale()));
      if (over && count.hidden) this.#announce(count.textContent);
      count.hidden = !over;
      input.setAttribute("aria-invalid", over);
      input.style.height = "auto";
      input.style.height = `${input.scrollHeight + 3}px`;
      if (stick) this.#toEnd();
      return over;
    }

    #typed(event) {
      // 229: in Safari, the Enter that ends a composition
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    }

    // Small things

    #announce(text) {
      this.#ui.announcer.textContent = text;
    }

    #setUnread(n) {
      const { badge, launcher } = this.#ui;
      this.#unread = n;
      badge.hidden = !n;
      badge.textContent = n;
      label(launcher);
    }

    /** Changes the log without having it all read out. */
    #quietly(work) {
      const { log } = this.#ui;
      log.ariaLive = "off";
      work();
      setTimeout(() => (log.ariaLive = "polite"), 200);
    }

    #atEnd(slack = 80) {
      const { log } = this.#ui;
      return log.scrollHeight - log.scrollTop - log.clientHeight < slack;
    }

    #toEnd() {
      const { log, newest } = this.#ui;
      log.scrollTop = log.scrollHeight;
      newest.hidden = true;
    }

    #emit(name, detail) {
      this.dispatchEvent(new CustomEvent(`rapport-${name}`, { bubbles: true, composed: true, detail }));
    }
  }

  customElements.define("rapport-chat", RapportChat);

  const insert = () => document.querySelector("rapport-chat") ?? document.body.append(document.createElement("rapport-chat"));
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", insert);
  else insert();
})();
