if (location.hash.includes("=") && state.get("at")) show(state.get("at"));
