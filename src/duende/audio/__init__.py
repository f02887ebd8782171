"""Songs, what they sound like in numbers, and where their beats are."""
