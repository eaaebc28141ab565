// Airflow shows the console in a frame whose sandbox lets nothing navigate what is around it. A link to a page of
// Airflow's own is handed to Airflow's router instead. Loaded within Airflow only; elsewhere no script runs.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[target=_top]");
  if (!link || window.parent === window) return;
  event.preventDefault();
  window.parent.history.pushState(null, "", link.href);
  window.parent.dispatchEvent(new PopStateEvent("popstate", { state: null }));
});
