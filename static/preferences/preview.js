// The center's editor: the preview follows what is typed, saving nothing.
document.addEventListener("DOMContentLoaded", () => {
  const frame = document.querySelector("iframe[data-preview]");
  const form = frame?.closest("form");
  if (!form) return;
  let timer, latest = 0;
  const show = async () => {
    const turn = ++latest;
    const body = new FormData(form);
    for (const [name, value] of [...body]) if (value instanceof File) body.delete(name);
    const answer = await fetch(frame.dataset.preview, { method: "POST", body });
    if (answer.ok && turn === latest) frame.srcdoc = await answer.text();
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 250);
  });
});
