/** The demo page's texts. Products come from the server in the page's language. */
export const TEXTS = {
  en: {
    languages: "Languages", headline: "Made for weather", lead: "Gear for fjord, forest and fell, chosen by people who use it.",
    browse: "See the gear", ask: "Ask us anything", gear: "Our gear", categories: "Categories", all: "Everything",
    loading: "Fetching the gear…", failed: "The gear could not be fetched. Please reload the page.",
    clubTitle: "Fjordly Club", clubText: "Every purchase earns points. Ask the assistant how many you have and what they are worth.",
    clubAsk: "Ask about points", footer: "Fjordly is the demo shop of Rapport. Nothing here is for sale, and every customer is made up.",
    tents: "Tents", sleeping_bags: "Sleeping bags", backpacks: "Backpacks", jackets: "Jackets", boots: "Boots",
    cooking: "Camp cooking", lighting: "Lighting", climbing: "Climbing", skiing: "Skiing", bottles: "Bottles",
  },
  es: {
    languages: "Idiomas", headline: "Hecho para el mal tiempo", lead: "Equipo para fiordo, bosque y montaña, elegido por quienes lo usan.",
    browse: "Ver el equipo", ask: "Pregúntanos", gear: "Nuestro equipo", categories: "Categorías", all: "Todo",
    loading: "Cargando el equipo…", failed: "No se ha podido cargar el equipo. Vuelve a cargar la página.",
    clubTitle: "Club Fjordly", clubText: "Cada compra suma puntos. Pregunta al asistente cuántos tienes y cuánto valen.",
    clubAsk: "Preguntar por los puntos", footer: "Fjordly es la tienda de demostración de Rapport. Nada está a la venta y los clientes son inventados.",
    tents: "Tiendas de campaña", sleeping_bags: "Sacos de dormir", backpacks: "Mochilas", jackets: "Chaquetas", boots: "Botas",
    cooking: "Cocina de camping", lighting: "Iluminación", climbing: "Escalada", skiing: "Esquí", bottles: "Botellas",
  },
  nb: {
    languages: "Språk", headline: "Laget for vær", lead: "Utstyr for fjord, skog og fjell, valgt av folk som bruker det.",
    browse: "Se utstyret", ask: "Spør oss om alt", gear: "Utstyret vårt", categories: "Kategorier", all: "Alt",
    loading: "Henter utstyret…", failed: "Utstyret kunne ikke hentes. Last siden på nytt.",
    clubTitle: "Fjordly-klubben", clubText: "Hvert kjøp gir poeng. Spør assistenten hvor mange du har og hva de er verdt.",
    clubAsk: "Spør om poeng", footer: "Fjordly er demobutikken til Rapport. Ingenting er til salgs, og alle kundene er oppdiktet.",
    tents: "Telt", sleeping_bags: "Soveposer", backpacks: "Ryggsekker", jackets: "Jakker", boots: "Tursko",
    cooking: "Turkjøkken", lighting: "Lys", climbing: "Klatring", skiing: "Ski", bottles: "Flasker",
  },
  ro: {
    languages: "Limbi", headline: "Făcut pentru vreme rea", lead: "Echipament pentru fiord, pădure și munte, ales de oameni care îl folosesc.",
    browse: "Vezi echipamentul", ask: "Întreabă-ne orice", gear: "Echipamentul nostru", categories: "Categorii", all: "Toate",
    loading: "Se încarcă echipamentul…", failed: "Echipamentul nu a putut fi încărcat. Reîncarcă pagina.",
    clubTitle: "Clubul Fjordly", clubText: "Fiecare cumpărătură aduce puncte. Întreabă asistentul câte ai și cât valorează.",
    clubAsk: "Întreabă despre puncte", footer: "Fjordly este magazinul demonstrativ al Rapport. Nimic nu este de vânzare, iar clienții sunt inventați.",
    tents: "Corturi", sleeping_bags: "Saci de dormit", backpacks: "Rucsacuri", jackets: "Geci", boots: "Bocanci",
    cooking: "Gătit în natură", lighting: "Iluminat", climbing: "Escaladă", skiing: "Schi", bottles: "Bidoane",
  },
};
