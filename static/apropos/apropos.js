// Small comforts: every page works without them.
(function () {
  "use strict";

  // A select that names which fields each of its values needs hides the others.
  function watchKinds(select) {
    const shows = {};
    for (const part of select.dataset.shows.split(" ")) {
      const [value, names] = part.split(":");
      shows[value] = names.split(",");
    }
    const all = new Set(Object.values(shows).flat());
    function apply() {
      const wanted = new Set(shows[select.value] || []);
      for (const name of all) {
        for (const field of document.querySelectorAll(`.field-${name}`)) {
          // A field with a fault is always shown, or nobody would find the fault.
          const faulty = field.classList.contains("errors");
          field.classList.toggle("apr-hide", !wanted.has(name) && !faulty);
        }
      }
      hideEmptyRows();
    }
    select.addEventListener("change", apply);
    apply();
  }

  function hideEmptyRows() {
    for (const row of document.querySelectorAll(".field-row")) {
      const fields = [...row.querySelectorAll(":scope > .field-line")];
      const empty = fields.length > 0 &&
        fields.every((field) => field.classList.contains("apr-hide"));
      row.classList.toggle("apr-hide", empty);
    }
  }

  // Deeds that cannot be taken back ask once.
  function askFirst(event) {
    const question = event.target.dataset.ask;
    if (question && !window.confirm(question)) {
      event.preventDefault();
    }
  }

  // unfold writes the name of a chosen file into a text field that ours do not have.
  function leaveFile(event) {
    if (event.target.matches("input[type=file].apr-search, .seg input[type=file]")) {
      event.stopPropagation();
    }
  }
  document.addEventListener("change", leaveFile, true);

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("select[data-shows]").forEach(watchKinds);
    document.addEventListener("submit", askFirst);
  });
})();
