"""What a dance is worth in numbers, beside real dances and beside baselines that cost nothing."""
