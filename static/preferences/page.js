// Progressive: without this file the form has a Save button and works the same.
(() => {
  if (!window.htmx) return;
  document.documentElement.classList.add("js");
  const status = document.getElementById("status");
  const template = document.getElementById("failed");
  const fail = () => status.replaceChildren(template.content.cloneNode(true));
  // Saved already: reloading must not say it again.
  if (location.search) history.replaceState(null, "", location.pathname);
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(name, fail);
  }
  document.body.addEventListener("htmx:beforeRequest", () => status.replaceChildren());
})();
