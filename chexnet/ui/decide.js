// A decision takes two presses: the first shows what it means and asks why, the second decides.

/** Return a button that opens its form; `send` gets the message with the reason and the revision. */
function decision({ key, text, means, message, control, reason = "Why (goes into the audit)", ask = [] }, send) {
  const fields = ask.map(({ name, label, ...rest }) => {
    const field = rest.options
      ? h("select", { className: "cx-patient", "data-keep": `${key}.${name}` }, ...rest.options.map((value) => h("option", { value }, value)))
      : h("input", { className: "cx-patient", "data-keep": `${key}.${name}`, ...rest });
    return [name, field, h("label", { className: "cx-field" }, h("span", {}, label), field)];
  });
  const why = reason && h("input", { type: "text", className: "cx-patient", placeholder: reason, "aria-label": `${text}: why`, "data-keep": `${key}.why` });
  const go = h("button", {
    type: "button",
    className: "cx-button cx-primary",
    disabled: !control.may,
    "data-keep": `${key}.go`,
    onclick: () => {
      const given = Object.fromEntries(fields.map(([name, field]) => [name, field.type === "number" ? Number(field.value) : field.value]));
      send({ ...message, ...given, ...(why ? { reason: why.value } : {}), revision: control.revision });
    },
  }, text);
  return h("details", { className: "cx-decision", "data-keep": key },
    h("summary", {}, `${text} …`),
    h("p", { className: "cx-hint" }, means),
    control.may ? "" : h("p", { className: "cx-problem" }, `Only an operator decides. You are here as ${control.user}.`),
    ...fields.map(([, , label]) => label),
    h("div", { className: "cx-actions" }, go, why || ""));
}
