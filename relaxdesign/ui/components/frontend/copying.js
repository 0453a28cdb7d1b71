// Texts for the clipboard. Where the browser gives no access to it, as on pages without HTTPS, the old way is taken.

async function put(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.body.appendChild(document.createElement("textarea"));
  field.value = text;
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("no clipboard");
}

export default function ({ data, parentElement }) {
  if (!data) return;
  const root = parentElement.querySelector(".copy"), said = root.querySelector(".said");
  for (const old of root.querySelectorAll("button")) old.remove();
  for (const [label, text] of data.texts) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: label });
    button.addEventListener("click", () => {
      put(text ?? location.href)
        .then(() => (said.textContent = "Copied"), () => (said.textContent = "This browser does not let pages copy"))
        .then(() => setTimeout(() => (said.textContent = ""), 4000));
    });
    root.insertBefore(button, said);
  }
}
