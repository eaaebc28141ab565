"""Master data: how tables come in, are judged, held back and put in force."""
