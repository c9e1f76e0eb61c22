// Who reads: asked once, remembered by this browser. Nobody verifies it, and the page says so.

const REMEMBERED = "chexnet-reader";
const NAMED = /[\p{L}\p{N}]/u; // The kernel takes no name without a letter or digit.

export default {
  render({ model, el }) {
    own(el);
    const field = entry({ className: "cx-patient", id: "cx-reader", autocomplete: "name", required: true, maxLength: model.get("longest") });
    const begin = (name) => {
      localStorage.setItem(REMEMBERED, name);
      el.replaceChildren(h("p", { className: "cx-known", role: "status" }, "Opening …"));
      model.send({ type: "reader", name });
    };
    const form = h(
      "form",
      { className: "cx-asking", onsubmit: (event) => { event.preventDefault(); if (NAMED.test(field.value)) begin(field.value.trim()); } },
      h("label", { htmlFor: "cx-reader" }, "Your name, as it goes into what you record"),
      field,
      h("button", { className: "cx-button cx-primary", type: "submit" }, "Begin"),
      h("p", { className: "cx-hint" }, "Several people share this page. This browser remembers the name; nobody verifies it."),
    );
    const name = h("strong");
    const other = h("button", { className: "cx-link", type: "button", onclick: () => { localStorage.removeItem(REMEMBERED); location.reload(); } }, "Somebody else");
    const known = h("p", { className: "cx-known" }, "Here as ", name, other);
    const show = () => {
      const reader = model.get("reader");
      say(name, reader);
      el.replaceChildren(reader ? known : form);
    };
    model.on("change:reader", show);
    show();
    const before = localStorage.getItem(REMEMBERED);
    if (!model.get("reader")) {
      if (before && NAMED.test(before)) begin(before);
      else requestAnimationFrame(() => field.focus()); // It is in the page by then.
    }
  },
};
