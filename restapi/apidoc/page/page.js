"use strict";
// Errors of the APIs link to #errors, which is a heading of the description.
function showErrors() {
  const heading = [...document.querySelectorAll("#page h2")].find((h) => h.textContent === "Errors");
  if (!heading) return;
  heading.id = "errors";
  if (location.hash === "#errors") heading.scrollIntoView();
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  filter: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // else the description is sent to a server of somebody else
  onComplete: showErrors,
});
