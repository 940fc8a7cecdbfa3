"use strict";
// Errors of the APIs link to #errors, which is a heading of the description.
const page = document.getElementById("page");
const heading = () => [...page.querySelectorAll("h2")].find((h) => h.textContent === "Errors");
new MutationObserver(() => heading()?.setAttribute("id", "errors")).observe(page, { childList: true, subtree: true });

// The browser has looked for it before it was there. The page grows while it is drawn, so it is scrolled to until the reader does something.
if (location.hash === "#errors") {
  history.scrollRestoration = "manual";
  const grown = new ResizeObserver(() => heading()?.scrollIntoView());
  grown.observe(page);
  for (const type of ["wheel", "pointerdown", "keydown"]) addEventListener(type, () => grown.disconnect(), { once: true });
}

SwaggerUIBundle({
  url: "openapi.json",
  domNode: page,
  deepLinking: true,
  filter: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // else the description is sent to a server of somebody else
});
